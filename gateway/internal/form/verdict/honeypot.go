package verdict

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Points of a hidden field that was filled in.
const (
	honeypotPoints   = 70  // no browser does that by itself
	unlikelyPoints   = 45  // hardly any does
	autofilledPoints = 15  // password managers and browsers do
	doubtfulPoints   = 40  // they do, but much else does not look like a person's
	maxAnswer        = 100 // bytes of what browsers fill in
	saneBelow        = 25  // points of what the submission says, not of how it came
)

// checkHoneypot is about the hidden field. Password managers and browsers fill it in too, with what they know of their
// owner; then all else looks like a person's.
func checkHoneypot(s *submission) {
	trap := strings.TrimSpace(s.in.Honeypot)
	if trap == "" {
		return
	}
	hasty := s.in.ElapsedMS >= 0 && s.in.ElapsedMS < inhumanMS
	switch what := s.autofilled(trap); {
	case what != "" && s.points-s.transport < saneBelow && !s.wordless && !hasty:
		s.add("honeypot", autofilledPoints,
			"the hidden field was filled in with "+what+", as password managers and browsers do")
	case what != "":
		s.add("honeypot", doubtfulPoints, "the hidden field was filled in, and other things do not look like a person's")
	case s.points < saneBelow && s.links.count == 0 && s.isSite(trap):
		s.add("honeypot", unlikelyPoints,
			"the hidden field was filled in with an address in the web that nothing else names")
	default:
		s.add("honeypot", honeypotPoints,
			"the hidden field was filled in with something that no browser fills in by itself")
	}
}

// isSite reports whether a text is the address of a site and of no page in it.
func (s *submission) isSite(trap string) bool {
	host := hostOf(trap, s.ends)
	trap = strings.ToLower(strings.TrimRight(trap, "/"))
	return host != "" && !strings.Contains(trap, " ") && strings.HasSuffix(trap, host)
}

// autofilled says what a browser or a password manager would have filled in; "": neither would.
func (s *submission) autofilled(trap string) string {
	folded := foldAnswer(trap)
	for _, f := range s.fields {
		other := foldAnswer(f.Text)
		if folded == "" || f.Role == Message || len(f.Text) > maxAnswer {
			continue
		}
		long := utf8.RuneCountInString(folded) >= 3 && len(other) >= 3
		if folded == other || long && (strings.Contains(other, folded) || strings.Contains(folded, other)) {
			return "what another field has"
		}
	}
	letters, digits, words := 0, 0, 1
	for _, r := range trap {
		switch {
		case unicode.IsLetter(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case r == ' ':
			words++
		}
	}
	var l links
	l.find(trap, s.ends)
	switch {
	case len(trap) > 120 || strings.ContainsAny(trap, "<>[]\n"):
		return ""
	case strings.Count(trap, "@") == 1 && words == 1 && !strings.Contains(trap, "/"):
		return "an address"
	case l.count == 1 && words == 1:
		if s.site != "" && isAt(l.hosts[0], s.site) || s.ownName(l.hosts[0]) {
			return "an address in the web"
		}
		return ""
	case l.count > 0:
		return ""
	case digits >= 5 && letters == 0:
		return "a number"
	case letters > 0 && words <= 6 && len(trap) <= 80 && !s.gibberish(trap):
		return "a name or an address"
	case digits > 0 && letters <= 3:
		return "a number"
	}
	return ""
}

// ownName reports whether a host has a part of the visitor's name or of the email in it.
func (s *submission) ownName(host string) bool {
	local, _, _ := strings.Cut(strings.ToLower(s.email), "@")
	for _, part := range strings.FieldsFunc(strings.ToLower(strings.Join(s.names, " "))+" "+local, func(r rune) bool {
		return !unicode.IsLetter(r)
	}) {
		if len(part) >= 4 && strings.Contains(host, part) {
			return true
		}
	}
	return false
}

// foldAnswer returns letters and digits of an answer, in lower case: 0 (555) is 0555.
func foldAnswer(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '@' {
			return unicode.ToLower(r)
		}
		return -1
	}, s[:min(len(s), 256)])
}
