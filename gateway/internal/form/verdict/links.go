package verdict

import (
	"strings"
)

// links are the addresses of pages in a text.
type links struct {
	hosts  []string // of each, in lower case; at most maxLinks
	count  int
	bytes  int      // of all
	far    int      // more of them, in what is not looked at
	markup bool     // written as HTML, BBCode or Markdown
	mail   []string // addresses of email, at most maxLinks
}

// maxLinks is how many are looked at.
const maxLinks = 20

// ends of domains that are a link even without a scheme. Others are too often a slip of the space bar
// after a full stop.
const ends = "com net org info biz ru xyz top site online shop store club io co app dev ai cc tk ml ga cf gq " +
	"pw icu vip win bid loan work live life link click pro space website tech agency digital media " +
	"de ch fr es pl nl uk eu ca au cn jp br se dk fi cz sk hu ro bg gr tr ua kz ge pt mx ar cl id vn " +
	"ph sg za ng example test invalid localhost"

// endSet returns ends by their names.
func endSet() map[string]bool {
	set := map[string]bool{}
	for end := range strings.FieldsSeq(ends) {
		set[end] = true
	}
	return set
}

// hidden are hosts of links that do not show where they lead: shorteners, and chats with strangers.
const hidden = "bit.ly tinyurl.com t.co goo.gl is.gd v.gd cutt.ly rb.gy t.ly ow.ly buff.ly shorturl.at rebrand.ly lnkd.in " +
	"tiny.cc bl.ink clck.ru vk.cc u.to soo.gd s.id t.me telegram.me telegram.dog wa.me api.whatsapp.com " +
	"chat.whatsapp.com wa.link line.me join.skype.com discord.gg"

// hiddenSet returns hidden by their names.
func hiddenSet() map[string]bool {
	set := map[string]bool{}
	for host := range strings.FieldsSeq(hidden) {
		set[host] = true
	}
	return set
}

// maxTokens is how many words with a dot, a colon or an @ are looked at in each text.
const maxTokens = 100

// find adds the links of s, and returns s without them. ends is from endSet.
func (l *links) find(s string, ends map[string]bool) string {
	l.markup = l.markup || hasMarkup(s)
	var rest []byte
	from, kept, tokens, marked := 0, 0, 0, false
	for i := 0; i <= len(s) && tokens < maxTokens; i++ {
		if i < len(s) && !separates(s, i) {
			marked = marked || s[i] == '.' || s[i] == ':' || s[i] == '@'
			continue
		}
		if marked {
			tokens++
			if l.token(s[from:i], ends) {
				rest = append(append(rest, s[kept:from]...), ' ')
				kept = i
			}
		}
		from, marked = i+1, false
	}
	if tokens == maxTokens {
		l.far += strings.Count(s[min(from, len(s)):], "://")
	}
	if kept == 0 {
		return s
	}
	return string(append(rest, s[kept:]...))
}

// token adds a word that may be a link or an email, and reports whether it is a link.
func (l *links) token(token string, ends map[string]bool) bool {
	if host := hostOf(token, ends); host != "" {
		l.count++
		l.bytes += len(token)
		if len(l.hosts) < maxLinks {
			l.hosts = append(l.hosts, host)
		}
		return true
	}
	if len(l.mail) < maxLinks && isMail(token) {
		l.mail = append(l.mail, strings.TrimRight(token, ".:!?"))
	}
	return false
}

// separates reports whether a byte of s is of what no address has, or of what stands around one.
func separates(s string, i int) bool {
	b := s[i]
	if b <= ' ' {
		return true
	}
	switch b {
	case '<', '>', '(', ')', '[', ']', '{', '}', '"', '\'', '|', ',', ';', '=':
		return true
	case 0xE2, 0xE3: // quotes, dashes, and full stops of East Asia
		return i+1 < len(s) && s[i+1] == 0x80
	case 0xC2:
		return i+1 < len(s) && (s[i+1] == 0xAB || s[i+1] == 0xBB)
	}
	return false
}

// hostOf returns the host of a link, in lower case; "": token is none.
func hostOf(token string, ends map[string]bool) string {
	token = strings.TrimRight(token, ".:!?*")
	rest, scheme := token, false
	if i := strings.Index(token, "://"); i >= 0 {
		rest, scheme = token[i+3:], true
	} else if strings.IndexByte(token, '@') >= 0 {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#:\\"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest = strings.Trim(rest, ".")
	dot := strings.LastIndexByte(rest, '.')
	if rest == "" || len(rest) > 255 || dot < 0 && !scheme {
		return ""
	}
	slip := dot >= 0 && 'A' <= rest[dot+1] && rest[dot+1] <= 'Z' && rest[0] >= 'a' // a sentence begins after a full stop
	rest = strings.ToLower(rest)
	bare, www := strings.CutPrefix(rest, "www.")
	if scheme || www && strings.Contains(bare, ".") {
		return bare
	}
	if slip || !ends[rest[dot+1:]] || strings.Contains(rest, "..") {
		return ""
	}
	return bare
}

// hasMarkup reports whether s links as HTML, BBCode or Markdown do.
func hasMarkup(s string) bool {
	if strings.IndexByte(s, '[') < 0 && strings.IndexByte(s, '=') < 0 {
		return false
	}
	for _, mark := range [...]string{"[url", "[URL", "[link=", "href=", "HREF=", "](http"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}

// isAt reports whether a host is at a domain or below it.
func isAt(host, domain string) bool {
	return domain != "" && (host == domain || strings.HasSuffix(host, "."+domain))
}

// hostOfURL returns the host of a page's address, in lower case and without www.; "": there is none.
func hostOfURL(page string) string {
	_, rest, ok := strings.Cut(page, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#:"); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimPrefix(strings.ToLower(rest), "www.")
}

// isMail reports whether a token looks like an email.
func isMail(token string) bool {
	at := strings.IndexByte(token, '@')
	return at > 0 && len(token) < 255 && strings.Contains(token[at+1:], ".")
}
