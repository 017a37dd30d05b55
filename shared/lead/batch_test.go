package lead_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

func TestParseBatch(t *testing.T) {
	t.Parallel()
	chatbot := id.New()
	body := `{"leads":[{"email":"A@Example.com","name":"Zoë","metadata":{"a":[1, 2]},"chatbotId":"` + id.Chatbot.Format(chatbot) + `"},
		{"email":"nonsense","extra":1},7,{},{"email":"b@example.com","chatbotId":"cb_x","status":"odd"},{"email":"c@example.com","source":"web","chatbotId":" ","status":""}]}`
	got, err := lead.ParseBatch([]byte(body), tenant.Settings{}.WithDefaults().Rules())
	if err != nil || len(got) != 6 {
		t.Fatalf("ParseBatch() = %d items, %v, want 6", len(got), err)
	}
	if g := got[0]; g.Err != nil || g.AddressKey != "a@example.com" || g.Name != "Zoë" ||
		string(g.Metadata) != `{"a":[1, 2]}` || g.Chatbot != chatbot || g.Status != "new" || g.Source != "api" ||
		!g.NoSource {
		t.Errorf("item 0 = %+v", g)
	}
	if g := got[5]; g.Err != nil || g.Source != "web" || g.NoSource || g.Chatbot != (id.UUID{}) ||
		string(g.Metadata) != "{}" {
		t.Errorf("item 5 = %+v", g)
	}
	for i, want := range map[int]string{
		1: `"pointer":"/leads/1/email","value":"nonsense"`,
		2: `"field":"leads","pointer":"/leads/2","value":7,"message":"Must be a JSON object"}]}`,
		3: `"pointer":"/leads/3/email","value":null`, 4: `"pointer":"/leads/4/chatbotId","value":"cb_x"`,
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if !fault.Is(got[i].Err, fault.Validation) {
				t.Errorf("item %d = %v, want a VALIDATION_ERROR", i, got[i].Err)
				return
			}
			if told, _ := json.Marshal(fault.From(got[i].Err).Details); !strings.Contains(string(told), want) {
				t.Errorf("item %d = %s, want %s", i, told, want)
			}
		})
	}
	if told, _ := json.Marshal(fault.From(got[1].Err).Details); !strings.Contains(string(told),
		`"pointer":"/leads/1/extra"`) {
		t.Errorf("item 1 = %s, want both mistakes", told)
	}
}

func TestBatchThatCannotBeRead(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		return `{"leads":[` + strings.TrimSuffix(strings.Repeat(`{"email":"a@example.com"},`, n), ",") + `]}`
	}
	if got, err := lead.ParseBatch([]byte(many(lead.MaxBatch)), tenant.Settings{}.WithDefaults().Rules()); err != nil ||
		len(got) != lead.MaxBatch {
		t.Errorf("a full batch = %d, %v, want all", len(got), err)
	}
	for body, want := range map[string]string{
		``:               `"field":"body"`,
		`[]`:             `Must be a JSON object`,
		`{}`:             `"pointer":"/leads","value":null,"message":"Must be an array of 1 to 500 objects"`,
		`{"leads":[]}`:   `"pointer":"/leads","value":null,"message":"Must be an array of 1 to 500 objects"`,
		`{"leads":null}`: `Must be an array of 1 to 500 objects`,
		`{"leads":{}}`:   `Must be an array of 1 to 500 objects`,
		`{"leads":[{"email":"a@x.com"}],"more":1}`:          `"pointer":"/more"`,
		`{"more":[1],"leads":[{"email":"a@x.com"}]}`:        `"pointer":"/more"`,
		`{"leads":[{"email":"a@x.com"}],"leads":[]}`:        `Must be given only once`,
		`{"leads":[{"email":"a@x.com"}]`:                    `the body ends too early`,
		`{"leads":[{"email":"a@x.com"}]} 1`:                 `nothing after it`,
		`{"leads":[{"email":"a@x.com","email":"b@x.com"}]}`: `"pointer":"/leads/0/email","value":null,"message":"Must be given only once"`,
		`{"leads":[{"email":"a@x.com"},{"name":]}`:          `"pointer":"/leads/1"`,
		`{"leads":[{"name":"` + "\xff" + `"}]}`:             `Must be valid UTF-8`,
		many(lead.MaxBatch + 1):                             `Must be an array of 1 to 500 objects`,
	} {
		t.Run(body[:min(len(body), 60)], func(t *testing.T) {
			_, err := lead.ParseBatch([]byte(body), tenant.Settings{}.WithDefaults().Rules())
			what := body[:min(len(body), 60)]
			if !fault.Is(err, fault.Validation) {
				t.Errorf("%s = %v, want a VALIDATION_ERROR", what, err)
				return
			}
			if told, _ := json.Marshal(fault.From(err).Details); !strings.Contains(string(told), want) {
				t.Errorf("%s = %s, want %s", what, told, want)
			}
		})
	}
}

// A lead in a batch is read as it is alone, and mistakes in one leave the others alone.
func FuzzParseBatch(f *testing.F) {
	for _, seed := range []string{`{"email":"a@example.com"}`,
		`{"email":"a@example.com","metadata":{"a":[1e5,{"b":"\u0000"}]}}`, `{"email":1,"x":2}`, `7`, `"a"`, `{"a":1,"a":2}`,
		`]`, `{}]},{"leads":[`, `null`, "{\"name\":\"\xff\"}"} {
		f.Add(seed)
	}
	statuses := tenant.Settings{}.WithDefaults().Rules()
	f.Fuzz(func(t *testing.T, one string) {
		if strings.Contains(one, "chatbotId") {
			return // Parse does not know it
		}
		alone, wrong := lead.Parse([]byte(one), statuses)
		items, err := lead.ParseBatch(fmt.Appendf(nil,
			`{"leads":[{"email":"first@example.com"},%s,{"email":"last@example.com"}]}`, one), statuses)
		if err != nil {
			if wrong == nil {
				t.Fatalf("%q is a lead, but not in a batch: %v", one, err)
			}
			if _, err := json.Marshal(fault.From(err).Details); err != nil {
				t.Fatal(err)
			}
			return
		}
		if items[0].Email != "first@example.com" || items[len(items)-1].Email != "last@example.com" {
			t.Fatalf("beside %q: %+v", one, items)
		}
		if len(items) != 3 {
			return // it was several
		}
		if (items[1].Err == nil) != (wrong == nil) {
			t.Fatalf("%q = %v in a batch, %v alone", one, items[1].Err, wrong)
		}
		if wrong == nil && fmt.Sprintf("%+v", items[1].Draft) != fmt.Sprintf("%+v", alone) {
			t.Fatalf("%q = %+v in a batch, %+v alone", one, items[1].Draft, alone)
		}
	})
}

func BenchmarkParseBatch(b *testing.B) {
	var body strings.Builder
	for i := range lead.MaxBatch {
		fmt.Fprintf(&body,
			`,{"name":"John Doe","email":"john.%d@example.com","phone":"+1-555-123-4567","source":"website","status":"new","metadata":{"utm_source":"google","interests":["product_a","product_b"],"company":"Tech Corp"}}`, i)
	}
	text := []byte(`{"leads":[` + body.String()[1:] + `]}`)
	statuses := tenant.Settings{}.WithDefaults().Rules()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lead.ParseBatch(text, statuses); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*lead.MaxBatch/b.Elapsed().Seconds(), "leads/s")
}
