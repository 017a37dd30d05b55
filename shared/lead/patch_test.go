package lead_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

func sample() lead.Lead {
	return lead.Lead{WorkspaceID: id.New(), ID: id.New(), Name: "Ann", Email: "Ann@example.com",
		UniqueKey: "ann@example.com", Phone: "+1-555-123-4567", Source: "web", Status: "new",
		Metadata: []byte(`{ "a": 1, "b": {"c": [1, 2], "d": null}, "e": "x" }`)}
}

func mustPatch(t *testing.T, body string) lead.Patch {
	t.Helper()
	p, err := lead.ParsePatch([]byte(body), statuses)
	if err != nil {
		t.Fatalf("ParsePatch(%s) = %v", body, err)
	}
	return p
}

func TestPatchChangesWhatIsGiven(t *testing.T) {
	t.Parallel()
	for body, change := range map[string]func(*lead.Lead){
		`{}`:                             func(*lead.Lead) {},
		`{"name":"Bob","status":"lost"}`: func(l *lead.Lead) { l.Name, l.Status = "Bob", "lost" },
		`{"name":" Bob\n","status":"LOST","source":" page "}`: func(l *lead.Lead) {
			l.Name, l.Status, l.Source = "Bob", "lost", "page"
		},
		`{"name":null,"phone":" "}`:    func(l *lead.Lead) { l.Name, l.Phone = "", "" },
		`{"source":"page"}`:            func(l *lead.Lead) { l.Source = "page" },
		`{"email":" ANN@example.com"}`: func(l *lead.Lead) { l.Email = "ANN@example.com" },
		`{"email":"Bob@example.com"}`: func(l *lead.Lead) {
			l.Email, l.UniqueKey = "Bob@example.com",
				"bob@example.com"
		},
		`{"metadata":{}}`:                  func(*lead.Lead) {},
		`{"metadata":null}`:                func(l *lead.Lead) { l.Metadata = []byte(`{}`) },
		`{"metadata":{"a":1,"none":null}}`: func(*lead.Lead) {},
	} {
		t.Run(body, func(t *testing.T) {
			got := sample()
			want := got
			change(&want)
			if err := mustPatch(t, body).Apply(&got); err != nil {
				t.Errorf("Apply(%s) = %v", body, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Apply(%s) differs (-want +got):\n%s", body, diff)
			}
		})
	}
}

// RFC 7396, its own examples among them. What is not changed keeps its place and its spelling.
func TestPatchMergesMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":1}`, `{"a":{"b":{"c":null,"d":1}}}`, `{"a":{"b":{"d":1}}}`},
		{`{"a": 1.50, "\u0062": "\u0041"}`, `{"c":2}`, `{"a":1.50,"\u0062":"\u0041","c":2}`},
		{`{ "a" : [1,  "A"] }`, `{"a":[1,"\u0041"]}`, `{ "a" : [1,  "A"] }`},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":2}`},
		{`{"a":1}`, `{"a":1.0}`, `{"a":1.0}`},
		{`{"n":12345678901234567890}`, `{"n":12345678901234567891}`, `{"n":12345678901234567891}`},
	} {
		t.Run(c.target+" "+c.patch, func(t *testing.T) {
			l := sample()
			l.Metadata = []byte(c.target)
			if err := mustPatch(t, `{"metadata":`+c.patch+`}`).Apply(&l); err != nil || string(l.Metadata) != c.want {
				t.Errorf("%s with %s = %s, %v, want %s", c.target, c.patch, l.Metadata, err, c.want)
			}
		})
	}
}

func TestPatchRefusesMetadataTooLargeOnceMerged(t *testing.T) {
	t.Parallel()
	l := sample()
	l.Metadata = []byte(`{"a":"` + strings.Repeat("x", lead.MaxMetadata-8) + `"}`)
	before := string(l.Metadata)
	if err := mustPatch(t, `{"name":"Bob","metadata":{"b":1}}`).Apply(&l); !fault.Is(err, fault.Validation) ||
		string(l.Metadata) != before || l.Name != "Ann" {
		t.Errorf("Apply = %v, want VALIDATION_ERROR and the lead untouched", err)
	}
	if err := mustPatch(t, `{"metadata":{"b":1,"a":null}}`).Apply(&l); err != nil || string(l.Metadata) != `{"b":1}` {
		t.Errorf("Apply = %v, %s, want what is smaller taken", err, l.Metadata)
	}
}

func TestDraftIsAPatchForItsHolder(t *testing.T) {
	t.Parallel()
	d, err := lead.Parse([]byte(`{"email":"ANN@example.com","phone":"","metadata":{"e":null,"f":1}}`), statuses)
	if err != nil {
		t.Fatal(err)
	}
	got := sample()
	want := got
	want.Email, want.Metadata = "ANN@example.com", []byte(`{"a":1,"b":{"c": [1, 2], "d": null},"f":1}`)
	if err := d.Patch().Apply(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Apply differs (-want +got):\n%s", diff)
	}
	got.UniqueKey = "other@example.com"
	if err := d.Patch().Apply(&got); !fault.Is(err, fault.NotFound) {
		t.Errorf("Apply to a lead that has another email = %v, want NOT_FOUND", err)
	}
	got.UniqueKey = "ann@example.com cb_x"
	if err := d.Patch().Apply(&got); err != nil || got.UniqueKey != "ann@example.com cb_x" {
		t.Errorf("Apply = %v, key %q, want what it is unique with kept", err, got.UniqueKey)
	}
}

func TestAppendUpdatedTellsWhatWas(t *testing.T) {
	t.Parallel()
	former := sample()
	l := former
	if err := mustPatch(t,
		`{"name":null,"email":"b@example.com","phone":"1","source":"s","status":"lost","metadata":{"a":2}}`).Apply(
		&l); err != nil {
		t.Fatal(err)
	}
	var data struct {
		Name     *string
		Previous json.RawMessage
	}
	if err := json.Unmarshal(l.AppendUpdated(nil, &former), &data); err != nil {
		t.Fatal(err)
	}
	want := `{"name":"Ann","email":"Ann@example.com","phone":"+1-555-123-4567","source":"web","status":"new","metadata":` +
		string(former.Metadata) + `}`
	if data.Name != nil || string(data.Previous) != want {
		t.Errorf("previous = %s, want %s", data.Previous, want)
	}
	if got := string(l.AppendUpdated(nil, &l)); !strings.HasSuffix(got, `,"previous":{}}`) {
		t.Errorf("data = %s, want no previous", got)
	}
}

func TestNextUpdateGrows(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	for now, want := range map[time.Time]time.Time{
		at:                        at.Truncate(time.Millisecond).Add(time.Millisecond),
		at.Add(-time.Hour):        at.Truncate(time.Millisecond).Add(time.Millisecond),
		at.Add(time.Second + 999): at.Add(time.Second).Truncate(time.Millisecond),
		at.Add(time.Millisecond).In(time.FixedZone("x", 3600)): at.Add(time.Millisecond).Truncate(time.Millisecond),
	} {
		t.Run(fmt.Sprint(now), func(t *testing.T) {
			if got := lead.NextUpdate(at, now); got != want {
				t.Errorf("NextUpdate(%v, %v) = %v, want %v", at, now, got, want)
			}
		})
	}
}

// Whatever comes in: no panic, a VALIDATION_ERROR or a patch that leaves a lead which is valid, and which it changes no
// more.
func FuzzParsePatch(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":null,"metadata":{"a":{"b":null}}}`,
		`{"email":"x@example.com","metadata":null}`, `{"metadata":{"":{"":[]}}}`, `{"metadata":{"a":1,"a":2}}`,
		`{"status":"lost","source":"x"}`, `[]`, `{"metadata":{"\ud800":1}}`, `{"metadata":{"b":{"c":{"x":[{"y":null}]}}}}`,
		"{\"name\":\"\x00\"}", `{"metadata":{"b":{"d":null}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := lead.ParsePatch(body, statuses)
		if err != nil {
			if !fault.Is(err, fault.Validation) {
				t.Fatalf("ParsePatch(%q) = %v, want VALIDATION_ERROR", body, err)
			}
			return
		}
		l := sample()
		former := l
		if err := p.Apply(&l); err != nil {
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Validation {
				t.Fatalf("Apply(%q) = %v", body, err)
			}
			return
		}
		if len(l.Metadata) > lead.MaxMetadata || l.Metadata[0] != '{' || !json.Valid(l.Metadata) || l.Source == "" ||
			l.Status == "" || l.AddressKey() == "" {
			t.Fatalf("%q makes %+v", body, l)
		}
		if data := l.AppendUpdated(nil, &former); !json.Valid(data) {
			t.Fatalf("%q makes the event %s", body, data)
		}
		again := l
		if err := p.Apply(&again); err != nil || lead.Differs(&again, &l) {
			t.Fatalf("%q again makes %+v of %+v, %v", body, again, l, err)
		}
	})
}
