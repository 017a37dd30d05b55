package verdict

import (
	"fmt"
	"strings"
	"time"
)

// Times that are too short even where the form sets none, and for what was written.
const (
	inhumanMS   = 600
	longMessage = 250  // letters
	longTakesMS = 4000 // to write or at least to paste a long message and fill in the rest
	minTokenAge = time.Second
)

// checkHaste is about how long the form was on the screen. Password managers and browsers fill in what they know at
// once, so that alone holds nothing.
func checkHaste(s *submission) {
	ms := s.in.ElapsedMS
	seconds := func(ms int) string { return fmt.Sprintf("%.1f seconds", float64(ms)/1000) }
	switch {
	case ms < 0 && s.seen.untimed:
		s.add("haste", 20, "it does not tell how long the page was shown, as the form's other submissions do")
	case ms < 0:
	case ms < inhumanMS:
		s.add("haste", 40, "it was sent "+seconds(ms)+" after the page was shown, faster than a person can")
	case ms < s.in.MinFillMS/2:
		s.add("haste", 35, "it was sent after "+seconds(ms)+", less than half of what the form sets as the least")
	case ms < s.in.MinFillMS:
		s.add("haste", 20, "it was sent after "+seconds(ms)+", sooner than the form sets as the least")
	case ms < longTakesMS && s.said.letters >= longMessage:
		s.add("haste", 20, "a long message came after "+seconds(ms))
	}
}

// checkToken is about the signed token that a page of the form asks for.
func checkToken(s *submission) {
	if !s.in.TokenRequired {
		return
	}
	switch {
	case s.in.Token == TokenInvalid:
		s.add("token", 45, "the token of the page is forged, too old, or another form's")
	case s.in.Token == TokenAbsent:
		s.add("token", 40, "the form asks for a token of the page, and none came")
	case s.in.TokenAge < minTokenAge:
		s.add("token", 25, "the token of the page was asked for less than a second before")
	}
}

// checkCaptcha marks what could not be verified.
func checkCaptcha(s *submission) {
	if s.in.Captcha == CaptchaOutage {
		s.add("captcha_outage", 15, "the captcha could not be verified, because its verifier did not answer")
	}
}

// checkBrowser is about what a browser sends along. Services that send forms for others are no browsers.
func checkBrowser(s *submission) {
	switch {
	case s.in.Service:
	case s.in.UserAgent == "":
		s.add("browser", 20, "it came without the name of a browser")
	case !s.browser:
		s.add("browser", 25, "it came from a program and not from a browser")
	case s.in.Page == "" && s.in.Referrer == "":
		s.add("browser", 5, "it does not say which page it is from")
	}
}

// isBrowser reports whether a user agent is that of a browser with a window.
func isBrowser(agent string) bool {
	if strings.Contains(agent, "Headless") || strings.Contains(agent, "bot") {
		return false
	}
	return strings.HasPrefix(agent, "Mozilla/5.0 (") || strings.HasPrefix(agent, "Opera/")
}
