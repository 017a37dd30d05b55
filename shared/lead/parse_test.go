package lead_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
)

var statuses = lead.Rules{Statuses: []string{"new", "contacted", "lost"}}

const specBody = `{
  "name": "John Doe",
  "email": "john.doe@example.com",
  "phone": "+1-555-123-4567",
  "source": "website",
  "status": "new",
  "metadata": {
    "utm_source": "google",
    "utm_campaign": "spring_2024",
    "interests": ["product_a", "product_b"],
    "company": "Tech Corp",
    "job_title": "Marketing Manager"
  }
}`

func TestParse(t *testing.T) {
	t.Parallel()
	metadata := specBody[strings.Index(specBody, `"metadata": `)+len(`"metadata": `) : len(specBody)-2]
	for body, want := range map[string]lead.Draft{
		specBody: {Name: "John Doe", Email: "john.doe@example.com", AddressKey: "john.doe@example.com",
			Phone:  "+1-555-123-4567",
			Source: "website", Status: "new", Metadata: []byte(metadata)},
		`{"email":" A@Example.com "}`: {Email: "A@Example.com", AddressKey: "a@example.com", Source: "api", Status: "new",
			Metadata: []byte("{}"), NoSource: true, NoStatus: true},
		`{"email":"a@example.com","name":null,"phone":null,"source":null,"status":null,"metadata":null}`: {
			Email: "a@example.com", AddressKey: "a@example.com", Source: "api", Status: "new", Metadata: []byte("{}"),
			NoSource: true, NoStatus: true},
		`{"email":"a@example.com","name":"","phone":"","source":"","status":"lost","metadata":{}}`: {
			Email: "a@example.com", AddressKey: "a@example.com", Source: "api", Status: "lost", Metadata: []byte("{}"),
			NoSource: true},
		`{"email":"\u00a0a@example.com","name":"\ufeff Ann\r\nBaker\u200b ","phone":" \u0001","source":" web ","status":"Contacted","metadata":""}`: {
			Name: "Ann Baker", Email: "a@example.com", AddressKey: "a@example.com", Source: "web", Status: "contacted",
			Metadata: []byte("{}")},
		`{"email":"a@example.com","metadata":{"b":"\u0001\n","a":1.10}}`: {
			Email: "a@example.com", AddressKey: "a@example.com", Source: "api", Status: "new",
			Metadata: []byte(`{"b":"\u0001\n","a":1.10}`), NoSource: true, NoStatus: true},
	} {
		t.Run(body, func(t *testing.T) {
			got, err := lead.Parse([]byte(body), statuses)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Parse(%s) differs (-want +got):\n%s\nerr = %v", body, diff, err)
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	padded := func(size int) string { return `{"a":"` + strings.Repeat("x", size-8) + `"}` }
	for _, tc := range []struct {
		field, good, bad string // JSON
		want             string
	}{
		{"name", quote("ü", 200), quote("ü", 201), "Must be at most 200 characters"},
		{"phone", quote("1", 40), quote("1", 41), "Must be at most 40 characters"},
		{"source", quote("ü", 100), quote("ü", 101), "Must be at most 100 characters"},
		{"status", `" LOST "`, `"won"`, "Must be one of: new, contacted, lost"},
		{"status", `""`, `1`, "Must be one of: new, contacted, lost"},
		{"name", `"a\u0001b"`, `"a\u0000b"`, "Must not contain the character U+0000"},
		{"metadata", `""`, `"x"`, "Must be a JSON object"},
		{"metadata", nested(8), nested(9), "Must be nested at most 8 levels deep"},
		{"metadata", padded(32 << 10), padded(32<<10 + 1), "Must be at most 32768 bytes of JSON"},
		{"metadata", `{"a":1e400}`, `{"a":1e131072}`,
			"Must be a number of at most 1000 digits with an exponent between -1000 and 1000"},
		{"name", `"a"`, `1`, "Must be a string"},
		{"phone", `"\t\u007fa"`, `["a"]`, "Must be a string"},
	} {
		t.Run(tc.field, func(t *testing.T) {
			if _, err := lead.Parse(fmt.Appendf(nil, `{"email":"a@example.com",%q:%s}`, tc.field, tc.good),
				statuses); err != nil {
				t.Errorf("Parse with %s %.50s = %v, want no error", tc.field, tc.good, err)
			}
			_, err := lead.Parse(fmt.Appendf(nil, `{"email":"a@example.com",%q:%s}`, tc.field, tc.bad), statuses)
			if got := mistakes(t, err); len(got) != 1 || got[0].Field != tc.field || got[0].Message != tc.want {
				t.Errorf("Parse with %s %.50s = %+v, want %s", tc.field, tc.bad, got, tc.want)
			}
		})
	}
}

func TestParseTellsTheEmailAsTheSpecHasIt(t *testing.T) {
	t.Parallel()
	for body, value := range map[string]any{
		`{"email":"invalid-email"}`: "invalid-email", `{}`: nil, `{"email":null}`: nil, `{"email":""}`: "",
		`{"email":7}`:                     7.0,
		`{"email":"a\u0000@example.com"}`: "a\x00@example.com",
	} {
		t.Run(body, func(t *testing.T) {
			_, err := lead.Parse([]byte(body), statuses)
			want := []fault.Field{{Field: "email", Pointer: "/email", Value: value, Message: "Must be a valid email address"}}
			if diff := cmp.Diff(want, mistakes(t, err)); diff != "" {
				t.Errorf("Parse(%s) tells other mistakes (-want +got):\n%s", body, diff)
			}
		})
	}
}

func TestParseTellsAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := lead.Parse([]byte(`{"nmae":"x","name":1,"phone":[],"source":{},"status":"x","metadata":"x"}`), statuses)
	var got []string
	for _, f := range mistakes(t, err) {
		got = append(got, f.Pointer)
	}
	if diff := cmp.Diff([]string{"/nmae", "/name", "/phone", "/source", "/status", "/metadata", "/email"},
		got); diff != "" {
		t.Errorf("Parse() tells mistakes at other places (-want +got):\n%s", diff)
	}
}

// The body's buffer may be used again as soon as Parse returns.
func TestParseKeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(specBody)
	got, err := lead.Parse(body, statuses)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	want, _ := lead.Parse([]byte(specBody), statuses)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse() changed with its body (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{specBody, `{}`, `{"email":"a@example.com","metadata":{"a":{"b":[1e10,"\\u0000"]}}}`,
		`{"email":"a@example.com","email":""}`, `{"status":"new"`, `{"email":"a@example.com","name":"\ud83d\ude00"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := lead.Parse(body, statuses)
		if err != nil {
			if mistakes(t, err) == nil {
				t.Errorf("Parse(%q) = %v without a mistake told", body, err)
			}
			return
		}
		var want struct {
			Name     *string
			Metadata json.RawMessage
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("Parse(%q) is accepted, but encoding/json says %v", body, err)
		}
		if want.Metadata == nil || string(want.Metadata) == "null" {
			want.Metadata = []byte("{}")
		}
		if string(d.Metadata) != string(want.Metadata) || want.Name != nil && *want.Name != d.Name {
			t.Errorf("Parse(%q) = %q, %s, want %v, %s", body, d.Name, d.Metadata, want.Name, want.Metadata)
		}
		shown := (&lead.Lead{Name: d.Name, Email: d.Email, Phone: d.Phone, Source: d.Source, Status: d.Status,
			Metadata: d.Metadata}).AppendJSON(nil, true)
		if !json.Valid(shown) || strings.ContainsRune(d.Name+d.Email+d.Phone+d.Source, 0) {
			t.Errorf("Parse(%q) makes a lead that cannot be shown: %s", body, shown)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body := []byte(specBody)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := lead.Parse(body, statuses); err != nil {
			b.Fatal(err)
		}
	}
}

func quote(s string, times int) string { return `"` + strings.Repeat(s, times) + `"` }

// mistakes returns what a VALIDATION_ERROR tells, as a client reads it.
func mistakes(t testing.TB, err error) []fault.Field {
	t.Helper()
	var told *fault.Error
	if !errors.As(err, &told) || told.Kind != fault.Validation {
		t.Fatalf("err = %v, want a VALIDATION_ERROR", err)
	}
	text, err := json.Marshal(told.Details)
	var details struct {
		Field  string
		Errors []fault.Field
	}
	if err == nil {
		err = json.Unmarshal(text, &details)
	}
	if err != nil || len(details.Errors) == 0 || details.Field != details.Errors[0].Field {
		t.Fatalf("details = %s, %v, want the first mistake and all of them", text, err)
	}
	return details.Errors
}
