package verdict

import (
	"encoding/binary"
	"hash/maphash"
	"strings"

	"leadgate/shared/lead"
	"leadgate/shared/mailbox"
)

// Bounds of what is looked at. Links are counted in more.
const (
	maxLooked     = 2 << 10 // bytes of free text
	maxFields     = 64
	minLookedEach = 64 // bytes of each field, even after others used maxLooked up
)

// submission is a submission while it is decided about.
type submission struct {
	*Checker
	in      *Input
	fields  []Field // at most maxFields, with their roles
	email   string
	site    string // the domain of the email where it is an organisation's own
	page    string // host of the page
	names   []string
	said    text // the free text, without its links
	links   links
	foreign int // links to other sites than the visitor's and the page's
	told    int // those of them that are in messages
	offer   offer
	speech  speech
	seen    seen
	browser bool // the user agent is that of a browser
	// there is free text, and it is hardly a word: newsletters have none
	wordless bool

	points    int
	transport int // points of how it came
	reasons   []lead.Reason
}

// read sorts what came.
func (c *Checker) read(in *Input) *submission {
	s := &submission{Checker: c, in: in, page: hostOfURL(in.Page), browser: isBrowser(in.UserAgent)}
	s.fields = append(s.fields, in.Fields[:min(len(in.Fields), maxFields)]...)
	left, message := maxLooked, false
	names := make([]uint32, 0, maxFields)
	var told []string // hosts of the links in messages
	for i := range s.fields {
		f := &s.fields[i]
		names = append(names, uint32(maphash.String(c.seed, f.Name)))
		f.Text = strings.TrimSpace(f.Text)
		if f.Role == Other && (asksForWebsite(f.Name) || !asksForMessage(f.Name) && isLinks(f.Text, c.ends)) {
			f.Role = website
		}
		switch f.Role {
		case Email:
			s.email = f.Text
			if d := domain(f.Text); d != "" && len(d) < 255 && !c.domains.Free(d) {
				s.site = d
				if r := mailbox.Registered(d); r != "" {
					s.site = r
				}
			}
		case Name:
			s.names = append(s.names, f.Text)
		case Other, Message:
			message = message || f.Role == Message
			look := cut(f.Text, max(left, minLookedEach))
			left -= len(look)
			ends, before := c.ends, len(s.links.hosts)
			isMessage := f.Role == Message || asksForMessage(f.Name) || isProse(look)
			if !isMessage { // ASP.net and Booking.com are names there
				ends = nil
			}
			s.said.add(&c.letters, s.links.find(look, ends))
			s.links.far += farLinks(f.Text, len(look))
			if isMessage {
				told = append(told, s.links.hosts[before:]...)
			}
		}
	}
	s.wordless = message && s.said.count < 3 && s.said.of[han] < 4
	s.foreign = s.links.far + s.foreignLinks(s.links.hosts)
	s.told = s.links.far + s.foreignLinks(told)
	s.offer = c.offers.read(s.said.words)
	signs := s.signs()
	s.speech = c.wording.read(s.said.words, &signs)
	s.seen = c.memory.recall(in.Workspace, in.Form, s.arrival(), names, s.said.mostly(), in.ElapsedMS >= 0)
	return s
}

// foreignLinks counts the links that are not to the visitor's own site, or to the page of the form.
func (s *submission) foreignLinks(hosts []string) (foreign int) {
	for _, host := range hosts {
		if !isAt(host, s.site) && !isAt(s.page, host) && !isAt(host, s.page) && !s.ownName(host) {
			foreign++
		}
	}
	return foreign
}

// cut returns at most n bytes of a text, from its beginning and its end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n*2/3], "") + " " + strings.ToValidUTF8(s[len(s)-n/3:], "")
}

// farLinks counts the links of a text that is longer than what was looked at.
func farLinks(s string, looked int) int {
	if len(s) <= looked {
		return 0
	}
	return strings.Count(s[:min(len(s), 64<<10)], "://")
}

// Texts that are shorter are not told from others of the same words: "hello, please call me".
const (
	minSameWords   = 8
	minSameLetters = 40
)

// arrival is what is remembered of the submission.
func (s *submission) arrival() arrival {
	a := arrival{at: s.in.Now.Unix()}
	if !s.in.Service && len(s.in.Address) >= 8 {
		a.address = binary.LittleEndian.Uint64(s.in.Address)
	}
	long := s.said.letters >= minSameLetters && s.said.count >= minSameWords || s.said.of[han] >= minSameLetters/2
	if long {
		a.text = hashWithoutDigits(s.seed, s.said.words)
	}
	return a
}

// hashWithoutDigits hashes words without digits, which mass mail counts with.
func hashWithoutDigits(seed maphash.Seed, words []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	from := 0
	for i, b := range words {
		if '0' <= b && b <= '9' {
			h.Write(words[from:i])
			from = i + 1
		}
	}
	h.Write(words[from:])
	return h.Sum64()
}

// mostly returns the alphabet of at least half of the letters.
func (t *text) mostly() alphabet {
	for a := noAlphabet + 1; a < alphabets; a++ {
		if t.letters >= 10 && t.of[a]*2 >= t.letters {
			return a
		}
	}
	return noAlphabet
}
