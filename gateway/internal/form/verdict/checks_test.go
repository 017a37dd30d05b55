package verdict_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/lead"
)

func TestNamesOfAllLanguagesAreNames(t *testing.T) {
	t.Parallel()
	c := verdict.New()
	for language, names := range sections(t, "names.txt") {
		for _, name := range names {
			for _, n := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
				in := person()
				in.Fields[0].Text = n
				if r := c.Check(in); points(r, "gibberish_name") > 0 {
					t.Errorf("%s: %q is taken for random letters", language, n)
				}
			}
		}
	}
	for _, name := range []string{"hTgRkLmQpZ", "xkqjvbnwzt", "XKQJVBNWZTRR", "aSdFgHjKlQw"} {
		in := person()
		in.Fields[0].Text = name
		if r := verdict.New().Check(in); points(r, "gibberish_name") == 0 || r.Verdict == lead.Held {
			t.Errorf("%q: %+v, want points, and not held for that alone", name, r)
		}
	}
}

// TestCodesAreNoRandomLetters has what people copy into a form, and what a page's scripts put there.
func TestCodesAreNoRandomLetters(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"WVWZZZ1JZXW000001", "ORD-2024-XK7PQ9", "C02XK0ZNJHD3", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
		"550e8400-e29b-41d4-a716-446655440000", "GB29NWBK60161331926819", "1Z999AA10123456784", "SKU BX-4471-QZR",
	} {
		in := person()
		in.Fields = append(in.Fields, verdict.Field{Name: "reference", Text: code})
		if r := verdict.New().Check(in); points(r, "gibberish_text") > 0 {
			t.Errorf("%q is taken for random letters", code)
		}
	}
}

// TestEachCheck changes one thing of a person's submission.
func TestEachCheck(t *testing.T) {
	t.Parallel()
	for check, change := range map[string]func(*verdict.Input){
		"haste":          func(in *verdict.Input) { in.ElapsedMS = 100 },
		"token":          func(in *verdict.Input) { in.TokenRequired = true },
		"captcha_outage": func(in *verdict.Input) { in.Captcha = verdict.CaptchaOutage },
		"browser":        func(in *verdict.Input) { in.UserAgent = "python-requests/2.32.3" },
		"disposable":     func(in *verdict.Input) { in.Fields[1].Text = "x@mailinator.com" },
		"phone":          func(in *verdict.Input) { in.Fields[2].Text = "lemon" },
		"links":          func(in *verdict.Input) { in.Fields[3].Text += " See https://other.example/page" },
		"link_host":      func(in *verdict.Input) { in.Fields[3].Text += " More at https://t.me/somebody" },
		"link_ratio":     func(in *verdict.Input) { in.Fields[3].Text = "look: other.example" },
		"markup":         func(in *verdict.Input) { in.Fields[3].Text += " [url=https://other.example]here[/url]" },
		"contact":        func(in *verdict.Input) { in.Fields[3].Text += " Write to other@other.example" },
		"offer": func(in *verdict.Input) {
			in.Fields[3].Text = "We offer backlinks and guest posts at an affordable price."
		},
		"lookalikes":     func(in *verdict.Input) { in.Fields[3].Text = "Gеt rеal vіsіtоrs fоr yоur pаge" },
		"gibberish_text": func(in *verdict.Input) { in.Fields[3].Text = "xkqjvbnwzt" },
		"same_answers":   func(in *verdict.Input) { in.Fields[3].Text = in.Fields[0].Text },
		"gibberish_email": func(in *verdict.Input) {
			in.Fields[3].Text, in.Fields[1].Text = "xkqjvbnwzt", "bvcxqzjkdfg@example.com"
		},
	} {
		in := person()
		change(in)
		r := verdict.New().Check(in)
		if points(r, check) == 0 {
			t.Errorf("%s: %+v, want points of it", check, r)
		}
		for _, reason := range r.Reasons {
			if len(reason.Note) < 20 {
				t.Errorf("%s: note %q tells its owner nothing", reason.Check, reason.Note)
			}
		}
		if got := verdict.New().Check(person()); len(got.Reasons) > 0 {
			t.Fatalf("a person has %+v", got)
		}
	}
}

// Links to the visitor's own site and to the page of the form are what people write.
func TestOwnLinksAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"I would like this one in blue please: https://shop.example/chairs/12": false,
		"Our work is at www.byron.example, please have a look at it":           false,
		"Our work is at https://example.com/work, please have a look at it":    false,
		"Please call.We are at home. It costs 3.50.In the morning.":            false,
		"Write to ada@other.example":                                           false,
		"I saw it at http://other.example/x and want one too":                  true,
		"I saw it at OTHER.EXAMPLE and I want one of these too":                true,
		"我在http://other.example/x看到了,请问还有吗":                                    true,
	} {
		in := person()
		in.Fields[3].Text = text
		if r := verdict.New().Check(in); points(r, "links") > 0 != want {
			t.Errorf("%q: %+v, want points of links: %v", text, r, want)
		}
	}
}

func TestSameTextOfOtherAddressesCounts(t *testing.T) {
	t.Parallel()
	c := verdict.New()
	send := func(visitor byte, text string) verdict.Result {
		in := person()
		in.Address = slices.Repeat([]byte{visitor}, 16)
		in.Fields[3].Text = text
		return c.Check(in)
	}
	const text = "A nice place that you have here, and there are %d more things to say about all of it."
	if r := send(1, fmt.Sprintf(text, 12)); r.Points != 0 {
		t.Errorf("the first: %+v", r)
	}
	if r := send(1, fmt.Sprintf(text, 12)); points(r, "same_text") != 0 {
		t.Errorf("the same visitor again: %+v", r)
	}
	if r := send(2, fmt.Sprintf(text, 13)); points(r, "same_text") == 0 {
		t.Errorf("another visitor: %+v, want points for the same text", r)
	}
	for visitor := range byte(9) {
		if r := send(10+visitor, "Hello, please call me"); r.Points != 0 {
			t.Errorf("a short text of many: %+v", r)
		}
	}
	in := person()
	in.Workspace[0]++
	in.Fields[3].Text = fmt.Sprintf(text, 12)
	if r := c.Check(in); r.Points != 0 {
		t.Errorf("another workspace: %+v, want to know nothing of it", r)
	}
}

// An office sends from one address; a robot sends more.
func TestVelocity(t *testing.T) {
	t.Parallel()
	c := verdict.New()
	in := person()
	var last verdict.Result
	for i := range 30 {
		in.Now = in.Now.Add(time.Second)
		if last = c.Check(in); i < 8 && last.Points > 0 {
			t.Fatalf("submission %d: %+v", i, last)
		}
	}
	if points(last, "velocity") == 0 || last.Verdict != lead.Suspect {
		t.Errorf("submission 30 within a minute: %+v, want suspect", last)
	}
}

// What a form's submissions look like is learned, and what looks otherwise has a few points.
func TestAFormIsLearned(t *testing.T) {
	t.Parallel()
	c := verdict.New()
	for i := range 40 {
		in := person()
		in.Address = slices.Repeat([]byte{byte(i)}, 16)
		c.Check(in)
	}
	in := person()
	in.Address = slices.Repeat([]byte{99}, 16)
	in.Fields = append(in.Fields, verdict.Field{Name: "cf_subject_9", Text: "hello"})
	in.Fields[3].Text = "Здравствуйте, сколько стоит номер на двоих, и можно ли приехать в пятницу?"
	in.ElapsedMS = -1
	r := c.Check(in)
	if points(r, "unknown_fields") == 0 || points(r, "alphabet") == 0 || points(r, "haste") == 0 || r.Verdict == lead.Held {
		t.Errorf("%+v, want points for fields, alphabet and time, and not held", r)
	}
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		suspectAt, holdAt int
		want              lead.Verdict
	}{{40, 70, lead.Suspect}, {41, 70, lead.Clean}, {20, 40, lead.Held}, {0, 0, lead.Clean}, {0, 40, lead.Held}, {40, 0, lead.Suspect}} {
		in := person()
		in.ElapsedMS = 100 // 40 points
		in.SuspectAt, in.HoldAt = tt.suspectAt, tt.holdAt
		if r := verdict.New().Check(in); r.Points != 40 || r.Verdict != tt.want {
			t.Errorf("suspectAt %d, holdAt %d: %+v, want %s", tt.suspectAt, tt.holdAt, r, tt.want)
		}
	}
}
