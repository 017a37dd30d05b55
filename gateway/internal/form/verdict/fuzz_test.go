package verdict_test

import (
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// FuzzCheck holds that any input has points within bounds, notes that can be stored, and a verdict that fits, in a time
// that does not depend on what is in it.
func FuzzCheck(f *testing.F) {
	for kind, templates := range sections(f, "spam.txt") {
		f.Add(templates[0], kind, "ada@example.com", browser, 1200, "addressaddress", byte(0))
	}
	f.Add("\xff\xfe[url=\x00", "\xffname", "@", "", -5, "", byte(255))
	f.Add("", "", "", "", 1<<31-1, "x", byte(1))
	f.Add(strings.Repeat("a.b@c://", 9000), "https://", "a@b@c", "Mozilla/5.0 (", 0, "12345678", byte(77))
	c := verdict.New()
	f.Fuzz(func(t *testing.T, text, other, email, agent string, elapsed int, address string, flags byte) {
		in := &verdict.Input{Workspace: id.UUID{flags % 4}, Form: id.UUID{flags}, Now: time.Unix(int64(elapsed), 0),
			Fields: []verdict.Field{{Name: other, Text: text, Role: verdict.Role(flags % 5)}, {Name: text, Text: other},
				{Name: "name", Text: other, Role: verdict.Name}, {Name: "email", Text: email, Role: verdict.Email},
				{Name: "phone", Text: other, Role: verdict.Phone}, {Name: "message", Text: text, Role: verdict.Message}},
			Honeypot: other, ElapsedMS: elapsed, MinFillMS: int(flags) * 100, Token: verdict.TokenState(flags % 3),
			TokenRequired: flags&8 > 0, Captcha: verdict.CaptchaState(flags % 3), Address: []byte(address), UserAgent: agent,
			Page: text, Referrer: other, Service: flags&16 > 0, SuspectAt: 40, HoldAt: 70}
		start := time.Now()
		r := c.Check(in)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
		want := lead.Clean
		switch {
		case r.Points >= 70:
			want = lead.Held
		case r.Points >= 40:
			want = lead.Suspect
		}
		sum := 0
		for _, reason := range r.Reasons {
			sum += reason.Points
			if reason.Check == "" || reason.Note == "" || len(reason.Note) > 200 || strings.ToValidUTF8(reason.Note, "") != reason.Note ||
				strings.Contains(reason.Note, "\x00") {
				t.Errorf("reason %+v is not fit to be stored", reason)
			}
		}
		if r.Points < 0 || r.Points > verdict.MaxPoints || min(sum, verdict.MaxPoints) != r.Points || r.Verdict != want {
			t.Errorf("%+v: want %s, and points that are the sum of the reasons' (%d)", r, want, sum)
		}
	})
}
