package enrich_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich"
	"leadgate/worker/internal/enrich/enrichtest"
)

// provider is a provider made of a function.
type provider struct {
	name string
	do   func(ctx context.Context) (any, error)
}

func (p provider) Name() string { return p.name }
func (p provider) Lookup(ctx context.Context, _ *lead.Lead, _ tenant.Settings) (any, error) {
	return p.do(ctx)
}

func gives(facts any, err error) func(context.Context) (any, error) {
	return func(context.Context) (any, error) { return facts, err }
}

func TestFindOfTheBuiltInProviders(t *testing.T) {
	t.Parallel()
	l := enrichtest.Leads(t)["whole"]
	got := enrich.New(time.Minute).Find(t.Context(), tenant.Settings{}, []lead.Lead{l, {UniqueKey: "a@gmail.com", Metadata: []byte("{}")}})
	want := []enrich.Finding{
		{Facts: []byte(
			`{"email":{"domain":"example.com","freeMail":false,"disposable":false,"roleAccount":false,"companyDomain":"example.com"},` +
				`"phone":{"valid":false,"e164":"+15551234567"},"attribution":{"utm":{"source":"google"}},` +
				`"providers":{"email":"found","phone":"found","attribution":"found"}}`)},
		{Facts: []byte(`{"email":{"domain":"gmail.com","freeMail":true,"disposable":false,"roleAccount":false},` +
			`"providers":{"email":"found","phone":"nothing","attribution":"nothing"}}`)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Find() differs (-want +got):\n%s", diff)
	}
}

func TestAFailingProviderCostsOnlyItsOwnFacts(t *testing.T) {
	t.Parallel()
	down := errors.New("connect: secret.example.com is down")
	told, never := map[string]bool{}, make(chan struct{})
	defer close(never)
	p := enrich.Pipeline{
		Timeout: 20 * time.Millisecond,
		Failed:  func(provider string, err error) { told[provider] = errors.Is(err, down) },
		Providers: []enrich.Provider{
			provider{"down", gives(map[string]int{"half": 1}, down)},
			provider{"panics", func(context.Context) (any, error) { panic("oh") }},
			provider{"hangs", func(context.Context) (any, error) { <-never; return nil, nil }},
			provider{"waits", func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() }},
			provider{"odd", gives([]int{1}, nil)},
			provider{"worse", gives(make(chan int), nil)},
			provider{"good", gives(map[string]int{"n": 1}, nil)},
		},
	}
	got := p.Find(t.Context(), tenant.Settings{}, make([]lead.Lead, 1))
	const want = `{"good":{"n":1},"providers":{"down":"failed","panics":"failed","hangs":"timeout","waits":"timeout","odd":"failed","worse":"failed","good":"found"}}`
	if len(got) != 1 || string(got[0].Facts) != want || !json.Valid(got[0].Facts) {
		t.Errorf("Find() = %s, want %s", got[0].Facts, want)
	}
	if diff := cmp.Diff(map[string]bool{"down": true, "panics": false, "hangs": false, "waits": false, "odd": false,
		"worse": false}, told); diff != "" {
		t.Errorf("told failures differ (-want +got):\n%s", diff)
	}
}

// The rest of a batch does not wait for a provider that was late for three of it: it would all be rolled back in the
// end.
func TestAHangingProviderHoldsUpThreeLeadsOfABatch(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	slow := provider{"slow", func(ctx context.Context) (any, error) { asked.Add(1); <-ctx.Done(); return nil, ctx.Err() }}
	impatient := provider{"impatient", gives(nil, fmt.Errorf("its own client: %w", context.DeadlineExceeded))}
	good := provider{"good", gives(map[string]int{"n": 1}, nil)}
	p := enrich.Pipeline{Timeout: 20 * time.Millisecond, Providers: []enrich.Provider{slow, impatient, good}}
	for i, got := range p.Find(t.Context(), tenant.Settings{}, make([]lead.Lead, 200)) {
		const want = `{"good":{"n":1},"providers":{"slow":"timeout","impatient":"timeout","good":"found"}}`
		if string(got.Facts) != want || got.Retry != 0 {
			t.Fatalf("Find() of lead %d = %s, retry %v; want %s", i, got.Facts, got.Retry, want)
		}
	}
	if n := asked.Load(); n > 3 {
		t.Errorf("the slow provider was asked %d times, want 3 at most", n)
	}
}

func TestAProviderThatWasLateTwiceIsAskedOn(t *testing.T) {
	t.Parallel()
	calls := 0
	var mu sync.Mutex
	hiccup := provider{"hiccup", func(context.Context) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%5 == 0 && calls <= 10 {
			return nil, context.DeadlineExceeded
		}
		return map[string]int{"n": 1}, nil
	}}
	p := enrich.Pipeline{Timeout: time.Minute, Providers: []enrich.Provider{hiccup}}
	found := 0
	for _, got := range p.Find(t.Context(), tenant.Settings{}, make([]lead.Lead, 50)) {
		if strings.Contains(string(got.Facts), `"hiccup":"found"`) {
			found++
		}
	}
	if found != 48 {
		t.Errorf("found = %d of 50 leads, want all but the two it was late for", found)
	}
}

func TestFindAgainLaterWhenNobodyAnswered(t *testing.T) {
	t.Parallel()
	down := provider{"down", gives(nil, errors.New("down"))}
	p := enrich.Pipeline{Timeout: time.Minute, Providers: []enrich.Provider{down, down}}
	if got := p.Find(t.Context(), tenant.Settings{}, make([]lead.Lead, 1)); len(got) != 1 || got[0].Facts != nil || got[0].Retry <= 0 {
		t.Errorf("Find() = %+v, want no facts and a retry", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	leads := []lead.Lead{{UniqueKey: "a@example.com", Metadata: []byte("{}")}, {UniqueKey: "b@example.com",
		Metadata: []byte("{}")}}
	for i, got := range enrich.New(time.Minute).Find(ctx, tenant.Settings{}, leads) {
		if got.Facts != nil || got.Retry <= 0 {
			t.Errorf("Find() after its context ended: finding %d = %+v, want no facts and a retry", i, got)
		}
	}
}
