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

// ends of domains that are a link even without a scheme. Others are too often a slip of the space bar after a full stop.
const ends = " com net org info biz ru xyz top site online shop store club io co app dev ai cc tk ml ga cf gq pw icu vip win bid " +
	"loan work live life link click pro space website tech agency digital media de ch fr es pl nl uk eu ca au cn jp br " +
	"se dk fi cz sk hu ro bg gr tr ua kz ge pt mx ar cl id vn ph sg za ng example test invalid localhost "

// find adds the links of s, and returns s without them.
func (l *links) find(s string) string {
	l.markup = l.markup || hasMarkup(s)
	var rest strings.Builder
	for len(s) > 0 {
		dot := strings.IndexAny(s, ".:")
		if dot < 0 {
			break
		}
		from := strings.LastIndexAny(s[:dot], separators) + 1
		to := len(s)
		if i := strings.IndexAny(s[dot:], separators); i >= 0 {
			to = dot + i
		}
		host := hostOf(s[from:to])
		if host == "" && len(l.mail) < maxLinks && isMail(s[from:to]) {
			l.mail = append(l.mail, strings.TrimRight(s[from:to], ".:!?"))
		}
		if host == "" {
			rest.WriteString(s[:to])
		} else {
			rest.WriteString(s[:from])
			l.count++
			l.bytes += to - from
			if len(l.hosts) < maxLinks {
				l.hosts = append(l.hosts, host)
			}
		}
		s = s[to:]
	}
	if rest.Len() == 0 {
		return s
	}
	rest.WriteString(s)
	return rest.String()
}

// separators are what no address has, or what stands around one.
const separators = " \t\r\n<>()[]{}\"'|,;=«»“”„"

// hostOf returns the host of a link, in lower case; "": token is none.
func hostOf(token string) string {
	token = strings.TrimRight(token, ".:!?*")
	rest, scheme := token, false
	if i := strings.Index(token, "://"); i >= 0 {
		rest, scheme = token[i+3:], true
	} else if strings.Contains(token, "@") {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#:\\"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest = strings.ToLower(strings.Trim(rest, "."))
	bare, www := strings.CutPrefix(rest, "www.")
	if rest == "" || len(rest) > 255 {
		return ""
	}
	if scheme || www && strings.Contains(bare, ".") {
		return bare
	}
	label, end := bare, ""
	if i := strings.LastIndexByte(bare, '.'); i > 0 {
		label, end = bare[:i], bare[i+1:]
	}
	if strings.Contains(token, "."+strings.ToUpper(end[:min(1, len(end))])) && token != strings.ToUpper(token) { // ".My"
		return ""
	}
	if end == "" || strings.Contains(label, "..") || !strings.Contains(ends, " "+end+" ") {
		return ""
	}
	return bare
}

// hasMarkup reports whether s links as HTML, BBCode or Markdown do.
func hasMarkup(s string) bool {
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
