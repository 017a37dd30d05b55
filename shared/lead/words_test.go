package lead_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
)

func example() lead.Lead {
	return lead.Lead{
		WorkspaceID: id.New(), ChatbotID: id.New(), Name: "Jürgen O'Neil-Smith", Email: "J.Neil@Mail.example.com",
		UniqueKey: "j.neil@mail.example.com",
		Phone:     "+44 (0)20 7946 0018 ext. 9136",
		Source:    "web site", Status: "new", Metadata: []byte(
			`{"company":"Tech & Söhne GmbH","n":1.10,"vip":true,"tags":["a"],"utm":"a b","gone":null,"empty":""}`),
	}
}

// found reports whether the index gives l for q: this is what array_to_tsvector and a tsquery do.
func found(l *lead.Lead, workspace id.UUID, q lead.Query) bool {
	words := strings.Fields(string(lead.AppendWords(nil, l)))
	for _, term := range q.Terms(workspace) {
		if !slices.ContainsFunc(words, func(w string) bool {
			return slices.ContainsFunc(term.Any, func(t string) bool { return w == t || term.Prefix && strings.HasPrefix(w, t) })
		}) {
			return false
		}
	}
	return true
}

func TestQuery(t *testing.T) {
	t.Parallel()
	l := example()
	text := func(s string) lead.Query { return lead.Query{Text: lead.SearchWords(s)} }
	meta := func(pairs ...string) (q lead.Query) {
		for _, p := range pairs {
			key, value, _ := strings.Cut(p, "=")
			q.Metadata = append(q.Metadata, lead.Pair{Key: key, Value: value})
		}
		return q
	}
	for what, tc := range map[string]struct {
		q    lead.Query
		want bool
	}{
		"all": {lead.Query{}, true}, "word": {text("smith"), true}, "beginning": {text("jürg"), true},
		"decomposed": {text("JU\u0308RGEN"), true},
		"two words":  {text("smi jür"), true}, "one is wrong": {text("smi x"), false}, "inside of a word": {text("mith"),
			false},
		"whole email": {text("j.neil@mail.example.com"), true}, "domain": {text("mail"), true},
		"company":  {text("söhne gmbh"), true},
		"too long": {text("smithe"), false}, "apostrophe": {text("o'neil"), true},
		"status": {lead.Query{Statuses: []string{"new"}}, true}, "other status": {lead.Query{Statuses: []string{"ne"}}, false},
		"source": {lead.Query{Source: "web site"}, true}, "other source": {lead.Query{Source: "web"}, false},
		"chatbot": {lead.Query{ChatbotID: l.ChatbotID}, true}, "other chatbot": {lead.Query{ChatbotID: id.New()}, false},
		"address":             {lead.Query{AddressKey: "j.neil@mail.example.com"}, true},
		"other address":       {lead.Query{AddressKey: "j.neil@mail.example.co"}, false},
		"one of two statuses": {lead.Query{Statuses: []string{"lost", "new"}}, true},
		"email's domain":      {lead.Query{Domain: "mail.example.com"}, true},
		"parent domain":       {lead.Query{Domain: "example.com"}, false},
		"metadata":            {meta("utm=a b", "n=1.10", "vip=true", "empty="), true},
		"number as it is not written": {meta("n=1.1"),
			false},
		"no scalar": {meta(`tags=["a"]`), false}, "null": {meta("gone=null"), true}, "one of two": {meta("utm=a b",
			"vip=false"), false}, "unknown": {meta("x="), false},
	} {
		t.Run(what, func(t *testing.T) {
			if got := tc.q.Fits(&l); got != tc.want {
				t.Errorf("%s: Fits = %v, want %v", what, got, tc.want)
			}
			if got := found(&l, l.WorkspaceID, tc.q); got != tc.want {
				t.Errorf("%s: found by the index = %v, want %v", what, got, tc.want)
			}
			if what != "all" && found(&l, id.New(), tc.q) {
				t.Errorf("%s: another workspace finds it", what)
			}
		})
	}
}

// A number is found in any spelling, with and without its country, and by its end.
func TestPhoneQuery(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		typed, wanted string
		want          bool
	}{
		{"+1 (555) 010-0131", "+15550100131", true}, {"+1 (555) 010-0131", "555 010 0131", true},
		{"+1 (555) 010-0131", "001 555 010 0131", true}, {"+1 (555) 010-0131", "0131", true},
		{"+1 (555) 010-0131", "0132", false}, {"+1 (555) 010-0131", "+45 550 100 131", false},
		{"+1 (555) 010-0131", "0555", false}, {"+1 (555) 010-0131", "131", false},
		{"070 123 45 67 (Axel)", "+46 70 123 45 67", true}, {"070 123 45 67", "701234567", true},
		{"+46 70 123 45 67", "070-1234567", true}, {"123 45 67", "+46 70 123 45 67", true},
		{"45 67", "+46 70 123 45 67", false}, {"070 123 45 67", "0701234568", false},
		{"+44 (0)20 7946 0018 ext. 9136", "+442079460018", true}, {"+44 (0)20 7946 0018 ext. 9136", "9136", true},
		{"+1 650 253 0000 / +1 650 253 0001", "6502530001", true}, {"+1 650 253 0000 / +1 650 253 0001", "6502530000", true},
		{"p:+16502530000", "650-253-0000", true}, {"+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "+966501234567", true},
		{"＋１ ５５５－０１０－０１２１", "5550100121", true}, {"", "5550100121", false},
	} {
		t.Run(tc.typed+" by "+tc.wanted, func(t *testing.T) {
			l := example()
			l.Phone = tc.typed
			digits := strings.Join(lead.PhoneDigits(tc.wanted), " ")
			for what, q := range map[string]lead.Query{
				"phone": {Phone: digits}, "text": {Text: lead.SearchWords(tc.wanted), TextPhone: digits},
			} {
				if digits == "" {
					continue // of too few digits: the caller refuses it
				}
				if got := q.Fits(&l); got != tc.want {
					t.Errorf("%s: Fits = %v, want %v", what, got, tc.want)
				}
				if tc.want && !found(&l, l.WorkspaceID, q) {
					t.Errorf("%s: the index does not find it", what)
				}
			}
		})
	}
}

func TestWordsAreBounded(t *testing.T) {
	t.Parallel()
	l := example()
	var members []string
	for i := range 150 {
		members = append(members, fmt.Sprintf(`"k%d":"v"`, i))
	}
	l.Metadata = []byte(`{` + strings.Join(members, ",") + `,"company":"` + strings.Repeat("ab ", 5000) + `"}`)
	l.Name = strings.Repeat("ü", 200)
	words := strings.Fields(string(lead.AppendWords(nil, &l)))
	if len(words) > 300 {
		t.Errorf("%d words, want a bounded number", len(words))
	}
	for _, w := range words {
		if len(w) > 80 || strings.Contains(w, " ") {
			t.Errorf("word %q, want at most 80 bytes without a space", w)
		}
	}
	for _, q := range []lead.Query{
		{Metadata: []lead.Pair{{Key: "k149", Value: "v"}}}, {Text: []string{strings.Repeat("ü", 150)}},
		{Text: []string{"ab"}},
	} {
		if !q.Fits(&l) || !found(&l, l.WorkspaceID, q) {
			t.Errorf("%.80v: fits %v, found %v, want both", q, q.Fits(&l), found(&l, l.WorkspaceID, q))
		}
	}
}

// Whatever fits is found: the index promises too much rather than too little.
func FuzzWords(f *testing.F) {
	f.Add("Jürgen Smith", "a@example.com", `{"company":"x y","k":"v"}`, "jür", "k", "v", "+1 (555) 010-0131")
	f.Add("İ ǅ ﬁ", "ß@example.com", `{"n":1e3,"n":2}`, "0049 30 1234567", "n", "1e3", "030/1234567 x 1234")
	f.Fuzz(func(t *testing.T, name, email, metadata, text, key, value, phone string) {
		l := lead.Lead{WorkspaceID: id.New(), Name: name, Email: email, UniqueKey: strings.ToLower(email), Status: "new",
			Source: "api", Phone: phone, Metadata: []byte(metadata)}
		q := lead.Query{Text: lead.SearchWords(text), Metadata: []lead.Pair{{Key: key, Value: value}}}
		alone := lead.Query{Text: q.Text}
		numbers := append(lead.PhoneDigits(text), lead.PhoneDigits(phone)...)
		for _, n := range numbers {
			byPhone := lead.Query{Phone: n}
			if byPhone.Fits(&l) && !found(&l, l.WorkspaceID, byPhone) {
				t.Errorf("%q of %+v fits and is not found", n, l)
			}
			if lead.PhoneEnd(n) == "" || len(n) > len(text)+len(phone) {
				t.Errorf("digits %q of %q or %q", n, text, phone)
			}
		}
		alone.TextPhone = lead.SearchedPhone(text)
		for _, q := range []lead.Query{q, alone, {Text: lead.SearchWords(name)}} {
			if q.Fits(&l) && !found(&l, l.WorkspaceID, q) {
				t.Errorf("%q of %+v fits and is not found", q, l)
			}
		}
		if whole := (lead.Query{Text: lead.SearchWords(name)}); !whole.Fits(&l) {
			t.Errorf("a lead named %q is not found by its name", name)
		}
	})
}

func BenchmarkAppendWords(b *testing.B) {
	l := example()
	var words []byte
	b.ReportAllocs()
	for b.Loop() {
		words = lead.AppendWords(words[:0], &l)
	}
}
