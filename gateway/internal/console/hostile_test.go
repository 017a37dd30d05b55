package console_test

import (
	"encoding/json"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/testbrowser"
)

// probe breaks out of text, of attributes, of scripts and of JSON where something is not escaped.
const probe = `x"'><img src=x onerror=alert(1)><script>alert(2)</script></textarea><svg onload=alert(3)>{{7*7}}` + "\u202e"

// wantHarmless fails where something of a visitor has become a part of the page.
func wantHarmless(t *testing.T, p *testbrowser.Page, name string) {
	t.Helper()
	var became []string
	p.Eval(`[...document.querySelectorAll("main img, main script, main svg[onload], main iframe, [onerror], [onload],"
		+ "a[href^='javascript:' i], a[href^='data:' i], a[href*='evil.example.com'], form[action*='evil.example.com']")]
		.map(e => e.outerHTML)`, &became)
	if len(became) > 0 {
		t.Errorf("%s: a visitor's text became %q", name, became)
	}
	wantWell(t, p, name)
}

// Whatever a visitor sends stays text, on every page that shows it, and breaks no layout.
func TestHostileFieldsStayText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long := strings.Repeat("W", 3000)
	body, err := json.Marshal(map[string]any{"email": "ada@example.com", "name": probe, "source": probe[:90],
		"metadata": map[string]any{probe: probe, "company": long[:900], long[:190]: map[string]any{"deep": []string{probe}},
			"utm_campaign": probe, "referrer": "javascript:alert(4)", "landing_page": "https://evil.example.com/" + probe}})
	if err != nil {
		t.Fatal(err)
	}
	made := b.mustLead(t, string(body))
	about, err := id.Lead.Parse(made)
	if err != nil {
		t.Fatal(err)
	}
	form := b.mustForm(t, "Contact")
	hostile := func(s *lead.Submission) {
		s.Name, s.UserAgent, s.Referrer = probe+long[:500], probe+long[:500], "javascript:alert(5)"
		s.Page = "https://evil.example.com/" + probe + long[:500]
		s.Campaign = map[string]string{"utm_source": probe, probe: long[:500]}
		s.Reasons = []lead.Reason{{Check: probe, Points: 80, Note: probe + long[:200]}}
		s.Fields, _ = json.Marshal(map[string]any{probe: probe, long[:300]: long, "message": []string{probe}})
	}
	held := b.mustHeld(t, form, probe[:20]+"@example.com", hostile)
	b.mustHeld(t, form, "ada@example.com", func(s *lead.Submission) {
		hostile(s)
		s.LeadID, s.Verdict, s.Outcome = about, lead.Clean, lead.OutcomeNew
	})
	p := b.mustOpen(t)
	for _, page := range []struct{ name, path string }{
		{"hostile-overview", ""},
		{"hostile-leads", "/leads?cols=name&cols=source&cols=meta.company&cols=email&meta=company%3D%22%3E%3Cscript%3Ealert(6)%3C/script%3E"},
		{"hostile-columns", "/leads?cols=name&cols=meta.company&cols=source"}, {"hostile-lead", "/leads/" + made},
		{"hostile-erase", "/leads/" + made + "/erase"}, {"hostile-quarantine", "/submissions"},
		{"hostile-submission", "/submissions/" + held},
		{"hostile-search", "/submissions?text=%22%3E%3Cscript%3Ealert(7)%3C/script%3E&verdict=%3Cscript%3E"},
	} {
		p.Open(b.url + "/console" + page.path)
		wantHarmless(t, p, page.name)
	}
}
