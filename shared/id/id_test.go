package id_test

import (
	"slices"
	"strings"
	"testing"

	"leadgate/shared/id"
)

func TestRoundTripAndOrder(t *testing.T) {
	var shown []string
	for range 5000 {
		u := id.New()
		s := id.Lead.Format(u)
		back, err := id.Lead.Parse(s)
		if err != nil || back != u {
			t.Fatalf("Parse(%q) = %v, %v, want %v", s, back, err, u)
		}
		shown = append(shown, s)
	}
	if !slices.IsSorted(shown) {
		t.Error("ids made one after the other do not sort by time")
	}
}

// The vectors are those of the TypeID specification (valid.json: nil, one, ten, sixteen, thirty-two, max).
func TestTypeIDVectors(t *testing.T) {
	var u id.UUID
	for _, v := range []struct {
		last byte
		want string
	}{{0, "00"}, {1, "01"}, {10, "0a"}, {16, "0g"}, {32, "10"}} {
		t.Run(v.want, func(t *testing.T) {
			u[15] = v.last
			if got, want := id.Lead.Format(u), "lead_"+strings.Repeat("0", 24)+v.want; got != want {
				t.Errorf("Format(%d) = %s, want %s", v.last, got, want)
			}
		})
	}
	for i := range u {
		u[i] = 0xFF
	}
	if got, want := id.Lead.Format(u), "lead_7zzzzzzzzzzzzzzzzzzzzzzzzz"; got != want {
		t.Errorf("Format(max) = %s, want %s", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	good := id.Chatbot.Format(id.New())
	for name, bad := range map[string]string{
		"nothing": "", "only a prefix": "cb_", "too short": good[:len(good)-1], "too long": good + "0",
		"another prefix": "lead_" + good[3:],
		"upper case":     strings.ToUpper(good), "an overflow": "cb_8" + good[4:], "no digit": "cb_" + strings.Repeat("u",
			26),
		"16 digits": "cb_1234567890abcdef",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := id.Chatbot.Parse(bad); err == nil {
				t.Errorf("Parse(%q) succeeded, want an error", bad)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(id.Lead.Format(id.New()))
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := id.Lead.Parse(s); err == nil && id.Lead.Format(u) != s {
			t.Errorf("Format(Parse(%q)) = %q", s, id.Lead.Format(u))
		}
	})
}

func TestRule(t *testing.T) {
	for p, want := range map[id.Prefix]string{
		id.Chatbot: "Must be the id of a chatbot: cb_ followed by 26 letters and digits",
		id.Event:   "Must be the id of an event: evt_ followed by 26 letters and digits",
		id.Key:     "Must be the id of an API key: key_ followed by 26 letters and digits",
	} {
		t.Run(p.Noun(), func(t *testing.T) {
			if got := p.Rule(); got != want {
				t.Errorf("Rule() = %q, want %q", got, want)
			}
		})
	}
}
