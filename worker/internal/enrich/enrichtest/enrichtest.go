// Package enrichtest is what every provider must pass to be asked by the pipeline.
package enrichtest

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich"
)

// maxSection is how many bytes one section may have: facts are stored with each lead and sent to each endpoint.
const maxSection = 16 << 10

// Conform checks that p keeps the contract of enrich.Provider for leads of every kind that the gateway lets in.
func Conform(t *testing.T, p enrich.Provider) {
	if form := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`); !form.MatchString(p.Name()) || p.Name() == "providers" {
		t.Errorf("Name() = %q, want a JSON key of its own", p.Name())
	}
	for name, l := range Leads(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conform(t, p, l)
		})
	}
	t.Run("ended context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			l := Leads(t)["whole"]
			p.Lookup(ctx, &l, tenant.Settings{})
		}()
		select {
		case <-returned:
		case <-time.After(5 * time.Second):
			t.Error("Lookup() has not returned 5 s after its context ended")
		}
	})
}

func conform(t *testing.T, p enrich.Provider, l lead.Lead) {
	before := l
	before.Metadata = []byte(string(l.Metadata))
	first := section(t, p, &l)
	if len(first) > maxSection || !json.Valid(first) || first[0] != '{' && string(first) != "null" ||
		strings.Contains(string(first), `\u0000`) {
		t.Errorf("Lookup() = %.200s (%d bytes), want a JSON object of at most %d bytes, or nil", first, len(first),
			maxSection)
	}
	if diff := cmp.Diff(before, l); diff != "" {
		t.Errorf("Lookup() changed the lead (-before +after):\n%s", diff)
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			if again := section(t, p, &l); string(again) != string(first) {
				t.Errorf("Lookup() = %s, before it was %s", again, first)
			}
		})
	}
	callers.Wait()
}

func section(t *testing.T, p enrich.Provider, l *lead.Lead) []byte {
	facts, err := p.Lookup(t.Context(), l, tenant.Settings{})
	if err != nil {
		t.Errorf("Lookup() = %v, want no error", err)
	}
	text, err := json.Marshal(facts)
	if err != nil {
		t.Fatalf("Lookup() = %#v, which is no JSON: %v", facts, err)
	}
	return text
}

// Leads returns leads that a gateway accepts, from plain to as odd as they come.
func Leads(t *testing.T) map[string]lead.Lead {
	t.Helper()
	long := strings.Repeat("é", 3000)
	leads := map[string]lead.Lead{}
	for name, body := range map[string]string{
		"whole":         `{"name":"John Doe","email":"john.doe@example.com","phone":"+1-555-123-4567","metadata":{"utm_source":"google","interests":["a","b"]}}`,
		"email only":    `{"email":"a@example.com"}`,
		"phone only":    `{"phone":"+1-650-253-0000"}`,
		"IDN":           `{"email":"用户@例子.广告"}`,
		"long domain":   `{"email":"a@` + strings.Repeat("a.", 100) + `example"}`,
		"suffix domain": `{"email":"a@co.uk"}`,
		"odd phone":     `{"email":"a@example.com","phone":"+;ext=1 (٣٤٥) ++ \ud83d\ude00"}`,
		"only plus":     `{"email":"a@example.com","phone":"+"}`,
		"long phone":    `{"email":"a@example.com","phone":"+` + strings.Repeat("9", 39) + `"}`,
		"wrong types":   `{"email":"a@example.com","metadata":{"utm_source":["a"],"utm":[1],"gclid":null,"url":true,"referrer":{"a":1},"utm_id":1e400}}`,
		"nested":        `{"email":"a@example.com","metadata":{"utm":{"utm":{"utm":{"utm":{"utm":{"utm":{"source":"deep"}}}}}}}}`,
		"long texts": `{"email":"a@example.com","metadata":{"utm_source":"` + long + `","gclid":"` + long +
			`","url":"https://example.com/` + long + `"}}`,
		"odd urls":           `{"email":"a@example.com","metadata":{"url":"https://[::1/?utm_source=%zz","page":"//x?%00=%ff&gclid=%00","referrer":"\u0001http://"}}`,
		"two spellings":      `{"email":"a@example.com","metadata":{"utm_source":"a","utmSource":"b","UTM-Source":"c","url":"https://example.com/?utm_medium=d&utmMedium=e"}}`,
		"control characters": `{"email":"a@example.com","metadata":{"utm_source":"a\u0001\n\u2028b","\u0007":"x"}}`,
	} {
		d, err := lead.Parse([]byte(body), lead.Rules{Statuses: []string{"new"}, Phones: true})
		if err != nil {
			t.Fatalf("lead %q is not accepted: %v", name, err)
		}
		leads[name] = lead.Lead{Name: d.Name, Email: d.Email, UniqueKey: d.AddressKey, Phone: d.Phone, Source: d.Source,
			Status: d.Status, Metadata: d.Metadata}
	}
	return leads
}
