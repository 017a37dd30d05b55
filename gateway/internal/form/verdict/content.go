package verdict

import (
	"fmt"
	"strings"
)

// checkEmail is about the email.
func checkEmail(s *submission) {
	if d := domain(s.email); d != "" && s.domains.Disposable(d) {
		s.add("disposable", 20, "the email is of a domain of throw-away addresses")
	}
}

// checkContact is about another email in the text, to which an answer shall go.
func checkContact(s *submission) {
	for _, other := range s.links.mail {
		at := domain(other)
		if s.email != "" && !strings.EqualFold(other, s.email) && !isAt(at, s.site) && !isAt(s.page, at) {
			s.add("contact", 15, "the text names another email than the one that was given")
			return
		}
	}
}

// checkLinks is about links in free text. One to the visitor's own site, or to the page of the form, is none. Only a
// message can be nothing but a link: what else has one asks for it, or is written by a service.
func checkLinks(s *submission) {
	foreign := s.foreign
	switch n := foreign; {
	case n == 0:
	case n == 1:
		s.add("links", 10, "the text has a link to another site")
	case n == 2:
		s.add("links", 20, "the text has 2 links")
	default:
		s.add("links", min(35+5*(n-3), 60), fmt.Sprintf("the text has %d links", n))
	}
	for _, host := range s.links.hosts {
		if s.hidden[host] {
			s.add("link_host", 20, "the text links to a shortener or a chat, which hides where it leads")
			break
		}
	}
	switch words := s.said.count + s.said.of[han]/2; {
	case s.told > 0 && words < 3:
		s.add("link_ratio", 60, "the text is nothing but a link")
	case s.told > 0 && words < 8:
		s.add("link_ratio", 45, "the text is little more than a link")
	case s.told > 2 && s.links.bytes*2 > len(s.said.words):
		s.add("link_ratio", 20, "the text is mostly links")
	}
	if s.links.markup {
		s.add("markup", 60, "the text links as pages and forums do, with code")
	}
	for _, f := range s.fields {
		var l links
		if f.Role != Name && f.Role != Phone {
			continue
		}
		if l.find(f.Text[:min(len(f.Text), 512)], s.ends); l.count > 0 && !strings.Contains(f.Text, "@") {
			s.add("links", 50, "a link stands where a name or a phone belongs")
			return
		}
	}
}

// checkAlphabet is about letters.
func checkAlphabet(s *submission) {
	t := &s.said
	if t.mixed >= 2 {
		s.add("lookalikes", min(20+5*t.mixed, 60),
			"words mix letters of alphabets that look the same, which hides words from filters")
	}
	if t.styled >= 8 {
		s.add("lookalikes", 40, "the text is in letters of mathematics, which hides words from filters")
	}
	if s.seen.strange {
		points := 10
		if s.links.count > 0 {
			points = 30
		}
		s.add("alphabet", points, "the text is in an alphabet that this form's others are not in")
	}
}

// checkSameAnswers is about robots that fill all fields with one text.
func checkSameAnswers(s *submission) {
	same := 0
	for i, f := range s.fields {
		if f.Role == Name && i > 0 && f.Text != "" && s.fields[i-1].Role == Name && s.fields[i-1].Text == f.Text {
			s.add("same_names", 15, "both parts of the name are the same")
		}
		for _, g := range s.fields[:min(i, 16)] {
			if len(f.Text) > 2 && f.Text == g.Text && f.Role != g.Role && (isPersonal(f.Role) || isPersonal(g.Role)) {
				same++
				break
			}
		}
	}
	if same > 0 {
		s.add("same_answers", min(15+15*same, 50), "fields that ask for different things have the same answer")
	}
}

// isPersonal reports whether no text of another field can be meant in a field too.
func isPersonal(r Role) bool { return r == Name || r == Phone || r == Email }

// checkSeen is about what came before.
func checkSeen(s *submission) {
	switch n := s.seen.sameText; {
	case n == 1:
		s.add("same_text", 20, "another address sent the same text within an hour")
	case n > 1:
		s.add("same_text", min(20+10*n, 40), "other addresses sent the same text within an hour")
	}
	switch {
	case s.in.Shared:
	case s.seen.tenMin >= 20 || s.seen.hour >= 60:
		s.add("velocity", 45, fmt.Sprintf("the visitor's address sent %d submissions within an hour", s.seen.hour+1))
	case s.seen.tenMin >= 8 || s.seen.hour >= 25:
		s.add("velocity", 20, fmt.Sprintf("the visitor's address sent %d submissions within an hour", s.seen.hour+1))
	}
	if s.seen.unknown > 0 {
		s.add("unknown_fields", 15, "it has fields that the form's other submissions do not have")
	}
}
