package api_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// setupBooks is setupForms with a counter, which is written when it is asked to.
func setupBooks(t *testing.T, change ...func(*api.Deps)) (*bundle, *books.Counter) {
	t.Helper()
	var counter *books.Counter
	count := func(d *api.Deps) {
		counter = books.New(books.Deps{DB: d.DB, Now: d.Now})
		d.Books, d.Intake.Books, d.Forms.Books = counter, counter, counter
	}
	return setupForms(t, append(change, count)...), counter
}

type shownBooks struct {
	Received, New, Appended, Updated, Held, Suppressed, Limited, Refused, HeldNotKept, Imbalance int
	RefusedBy                                                                                    map[string]int
}

// text is what is not 0.
func (s *shownBooks) text() string {
	var b strings.Builder
	for _, c := range []struct {
		name string
		n    int
	}{{"received", s.Received}, {"new", s.New}, {"appended", s.Appended}, {"updated", s.Updated}, {"held", s.Held},
		{"suppressed", s.Suppressed}, {"limited", s.Limited}, {"heldNotKept", s.HeldNotKept}, {"imbalance", s.Imbalance}} {
		if c.n != 0 {
			fmt.Fprintf(&b, "%s:%d ", c.name, c.n)
		}
	}
	for _, reason := range []string{"validation", "duplicate", "not_found", "media_type", "too_large", "timeout", "captcha", "origin",
		"forbidden", "idempotency"} {
		if n := s.RefusedBy[reason]; n != 0 {
			fmt.Fprintf(&b, "%s:%d ", reason, n)
		}
	}
	return strings.TrimSpace(b.String())
}

// books returns the books of a workspace, by its way in, once counters have written.
func (b *bundle) books(t *testing.T, c owner, query string, counters ...*books.Counter) map[string]string {
	t.Helper()
	for _, counter := range counters {
		if err := counter.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := b.send(t, c.secret, "GET", "/api/v1/books"+query, "")
	var said struct {
		Lines []struct {
			Day, Way string
			FormID   *string
			shownBooks
		}
		Totals shownBooks
	}
	if err := json.Unmarshal(got.body.Data, &said); err != nil || got.status != 200 {
		t.Fatalf("GET books%s = %d %s", query, got.status, got.text)
	}
	all := map[string]string{}
	for _, l := range said.Lines {
		all[l.Way] = strings.TrimSpace(all[l.Way] + " " + l.text())
	}
	if len(said.Lines) > 0 {
		all["totals"] = said.Totals.text()
	}
	return all
}

// bookCase is what a workspace does, and what its books say of it.
type bookCase struct {
	name string
	do   []func(*testing.T, owner)
	want string // of the one way in
}

func (b *bundle) bookCases() []bookCase {
	const lead, batch = "/api/v1/leads", "/api/v1/leads/batch"
	post := func(secret, path, body string) func(*testing.T, owner) {
		return func(t *testing.T, c owner) {
			if secret == "" {
				secret = c.secret
			}
			b.send(t, secret, "POST", path, body)
		}
	}
	one := func(path, body string) func(*testing.T, owner) { return post("", path, body) }
	known := func(t *testing.T, c owner) { b.mustSuppress(t, c, "gone@example.com") }
	return []bookCase{
		{"new", []func(*testing.T, owner){one(lead, `{"email":"a@example.com"}`)}, "received:1 new:1"},
		{"a duplicate that Redis knows", []func(*testing.T, owner){one(lead, `{"email":"a@example.com"}`),
			one(lead, `{"email":"a@example.com"}`)}, "received:2 new:1 duplicate:1"},
		{"a duplicate that Redis forgot", []func(*testing.T, owner){one(lead, `{"email":"a@example.com"}`),
			func(t *testing.T, _ owner) { b.redis.FlushAll(t.Context()) }, one(lead, `{"email":"a@example.com"}`)},
			"received:2 new:1 duplicate:1"},
		{"returned", []func(*testing.T, owner){one(lead, `{"email":"a@example.com"}`),
			one(lead+"?onDuplicate=return", `{"email":"a@example.com"}`)}, "received:2 new:1 duplicate:1"},
		{"updated, also where nothing changes", []func(*testing.T, owner){one(lead, `{"email":"a@example.com"}`),
			one(lead+"?onDuplicate=update", `{"email":"a@example.com","name":"Ann"}`),
			one(lead+"?onDuplicate=update", `{"email":"a@example.com","name":"Ann"}`)}, "received:3 new:1 updated:2"},
		{"mistakes", []func(*testing.T, owner){one(lead, `{"email":"x"}`), one(lead+"?page=1", `{"email":"a@example.com"}`),
			one(lead, `{`)}, "received:3 validation:3"},
		{"no such chatbot", []func(*testing.T, owner){one("/api/v1/chatbots/x/leads", `{"email":"a@example.com"}`)},
			"received:1 not_found:1"},
		{"too large", []func(*testing.T, owner){one(lead, strings.Repeat(" ", 70<<10))}, "received:1 too_large:1"},
		{"suppressed", []func(*testing.T, owner){known, one(lead, `{"email":"gone@example.com"}`)}, "received:1 suppressed:1"},
		{"no scope", []func(*testing.T, owner){func(t *testing.T, c owner) {
			_, weak := b.mustKey(t, c.workspace, []tenant.Scope{tenant.LeadsRead})
			b.send(t, weak, "POST", lead, `{"email":"a@example.com"}`)
		}}, "received:1 forbidden:1"},
		{"not received", []func(*testing.T, owner){post("sk-workspace_x", lead, `{"email":"a@example.com"}`),
			func(t *testing.T, c owner) {
				path := b.mustForm(t, c, tenant.Form{Origins: []string{site}})
				b.send(t, strings.TrimPrefix(path, "/f/"), "POST", lead, `{"email":"a@example.com"}`)
				b.send(t, c.secret, "GET", lead+"/x", "")
				b.send(t, c.secret, "GET", lead+"?page=1", "")
				b.do(t, b.submission(t, "OPTIONS", path, plainForm, "", "Access-Control-Request-Method", "POST"))
				b.submit(t, path+"x", "email=a@example.com")
			}}, ""},
		{"an Idempotency-Key", []func(*testing.T, owner){func(t *testing.T, c owner) {
			for range 2 {
				b.keyed(t, c.secret, lead, "k", `{"email":"a@example.com"}`)
				b.keyed(t, c.secret, lead, "taken", `{"email":"a@example.com"}`)
				b.keyed(t, c.secret, lead, "wrong", `{"email":"x"}`) // is not kept: each is a request
			}
			b.keyed(t, c.secret, lead, "k", `{"email":"b@example.com"}`)
		}}, "received:5 new:1 validation:2 duplicate:1 idempotency:1"},
		{"a batch", []func(*testing.T, owner){known, one(batch, `{"leads":[{"email":"a@example.com"},{"email":"A@example.com"},
			{"email":"x"},{"email":"gone@example.com"},{"email":"Gone@example.com"},
			{"email":"c@example.com","chatbotId":"`+id.Chatbot.Format(id.New())+`"}]}`),
			one(batch+"?onDuplicate=update", `{"leads":[{"email":"a@example.com"},{"email":"b@example.com"},{"email":"b@example.com"}]}`),
			one(batch+"?onDuplicate=return", `{"leads":[{"email":"a@example.com"}]}`)},
			"received:10 new:2 updated:2 suppressed:2 validation:1 duplicate:2 not_found:1"},
		{"a batch that is refused", []func(*testing.T, owner){one(batch, `{"leads":[]}`), one(batch+"?x=1", `{"leads":[]}`),
			one(batch, strings.Repeat(" ", 6<<20))}, "received:3 validation:2 too_large:1"},
		{"a batch with an Idempotency-Key", []func(*testing.T, owner){func(t *testing.T, c owner) {
			for range 2 {
				b.keyed(t, c.secret, batch, "k", `{"leads":[{"email":"a@example.com"},{"email":"x"},{"email":"a@example.com"}]}`)
				b.keyed(t, c.secret, batch, "l", `{`)
			}
		}}, "received:5 new:1 validation:3 duplicate:1"},
		{"a form", []func(*testing.T, owner){known, func(t *testing.T, c owner) {
			path := b.mustForm(t, c, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.UpdateDuplicate,
				Captcha: tenant.Turnstile, CaptchaSecret: "s"})
			b.submit(t, path, "email=a@example.com&cf-turnstile-response=bad")
			path = b.mustForm(t, c, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.UpdateDuplicate})
			for _, body := range []string{"email=a@example.com", "email=A@example.com&name=Ann", "email=x", "email=gone@example.com"} {
				b.submit(t, path, body)
			}
			b.fetch(t, path, `{"email":"b@example.com"}`)
			b.submit(t, path, "email=c@example.com", "Origin", "https://elsewhere.example.com")
			b.submit(t, path, "email=c@example.com", "Content-Type", "text/csv")
		}}, "received:1 captcha:1 received:7 new:2 updated:1 suppressed:1 validation:1 media_type:1 origin:1"},
		{"a form that ignores whom it knows", []func(*testing.T, owner){func(t *testing.T, c owner) {
			path := b.mustForm(t, c, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.IgnoreDuplicate})
			for range 2 {
				b.submit(t, path, "email=a@example.com")
			}
		}}, "received:2 new:1 duplicate:1"},
	}
}

// Each request that is received counts once, whatever becomes of it, and no other does.
func TestEveryRequestIsInTheBooks(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	b, counter := setupBooks(t, forms(prometheus.NewRegistry(), func(d *form.Deps) { d.CaptchaURL = v.URL }))
	for _, c := range b.bookCases() {
		t.Run(c.name, func(t *testing.T) {
			w := b.mustWorkspace(t, tenant.Settings{})
			for _, do := range c.do {
				do(t, w)
			}
			got := b.books(t, w, "", counter)
			delete(got, "totals")
			for way, text := range got {
				if len(got) != 1 || text != c.want {
					t.Errorf("%s: %s, want %s", way, text, c.want)
				}
			}
			if len(got) == 0 && c.want != "" {
				t.Errorf("nothing is in the books, want %s", c.want)
			}
		})
	}
}

// What is beyond the limit of a workspace counts, if it was to be a lead; reading does not.
func TestLimitedIsInTheBooks(t *testing.T) {
	t.Parallel()
	b, counter := setupBooks(t)
	c := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 2})
	limited := 0
	for _, path := range []string{"/api/v1/leads", "/api/v1/leads?x=1", "/api/v1/leads", "/api/v1/leads/batch"} {
		for range 5 {
			if got := b.send(t, c.secret, "POST", path, `{`); got.status == 429 {
				limited++
			}
			b.send(t, c.secret, "GET", "/api/v1/leads", "")
		}
	}
	if err := counter.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := b.db.ReadUsage(t.Context(), c.workspace, time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, 2))
	if err != nil || len(all) != 1 || all[0].Limited != int64(limited) || all[0].Rejected != int64(20-limited) || limited < 10 {
		t.Errorf("usage = %+v, %v, want %d limited and the others rejected", all, err, limited)
	}
}

// The books of a day and of a form, and what may be asked.
func TestBooksOfDaysAndForms(t *testing.T) {
	t.Parallel()
	b, counter := setupBooks(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	b.mustCreate(t, other, "a@example.com")
	var forms []string
	for n := range 2 {
		path := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
		for i := range n + 1 {
			b.submit(t, path, fmt.Sprintf("email=%d-%d@example.com", n, i))
		}
		forms = append(forms, path)
	}
	var keys []id.UUID
	if err := b.db.SelectContext(t.Context(), &keys, `select id from api_keys where workspace_id = $1 and id <> $2 order by id`,
		b.workspace, b.key); err != nil || len(keys) != len(forms) {
		t.Fatalf("keys = %v, %v", keys, err)
	}
	day := func(n int) string { return b.now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	for query, want := range map[string]map[string]string{
		"":                                      {"form": "received:1 new:1 received:2 new:2", "totals": "received:3 new:3"},
		"?form=" + id.Key.Format(keys[1]):       {"form": "received:2 new:2", "totals": "received:2 new:2"},
		"?form=" + id.Key.Format(other.key):     {},
		"?from=" + day(-5) + "&until=" + day(0): {},
		"?until=" + day(1) + "&from=" + day(0):  {"form": "received:1 new:1 received:2 new:2", "totals": "received:3 new:3"},
	} {
		if diff := cmp.Diff(want, b.books(t, b.owner, query, counter)); diff != "" {
			t.Errorf("books%s (-want +got):\n%s", query, diff)
		}
	}
	for query, field := range map[string]string{"?from=x": "from", "?form=x": "form", "?from=" + day(-100): "from", "?x=1": "x"} {
		got := b.send(t, b.secret, "GET", "/api/v1/books"+query, "")
		if got.wantError(t, query, 400, "VALIDATION_ERROR"); got.body.Details.Field != field {
			t.Errorf("%s: field %q, want %q", query, got.body.Details.Field, field)
		}
	}
}

// Many clients of two gateways send leads, batches and forms while workers fold: the books say to the unit what they
// were told.
func TestBooksAreExact(t *testing.T) {
	t.Parallel()
	var deps api.Deps
	b, first := setupBooks(t, func(d *api.Deps) { deps = *d })
	second := books.New(books.Deps{DB: b.db, Now: b.now})
	deps.Intake = intake.New(intake.Deps{DB: b.db, Redis: b.redis, Waker: task.NewWaker(b.redis), Log: deps.Intake.Log,
		Registry: prometheus.NewRegistry(), Now: time.Now, Books: second})
	t.Cleanup(deps.Intake.Stop)
	deps.Books, deps.Registry = second, nil
	server := httptest.NewServer(api.New(deps))
	t.Cleanup(server.Close)
	c := b.mustWorkspace(t, tenant.Settings{Rate: 1000, Burst: 1000})
	gateways := []*bundle{b, {db: b.db, redis: b.redis, url: server.URL, client: server.Client()}}
	path := b.mustForm(t, c, tenant.Form{Origins: []string{site}, OnDuplicate: tenant.UpdateDuplicate})
	for _, counter := range []*books.Counter{first, second} {
		counter.Start()
	}
	var clients sync.WaitGroup
	var mu sync.Mutex
	told := map[int]int{} // status -> answers of single leads
	for n, gateway := range gateways {
		for k := range 4 {
			clients.Go(func() {
				for i := range 25 {
					got := gateway.send(t, c.secret, "POST", "/api/v1/leads", fmt.Sprintf(`{"email":"p%d@example.com"}`, (i+7*k)%40))
					mu.Lock()
					told[got.status]++
					mu.Unlock()
					gateway.send(t, c.secret, "POST", "/api/v1/leads/batch", fmt.Sprintf(
						`{"leads":[{"email":"b%d-%d-%d@example.com"},{"email":"x"},{"email":"shared@example.com"}]}`, n, k, i))
					if n == 0 && i < 5 { // one address may send 20 a minute
						gateway.submit(t, path, fmt.Sprintf("email=f%d-%d@example.com", k, i))
					}
					if _, err := b.db.FoldBooks(t.Context(), 10); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	clients.Wait()
	for _, counter := range []*books.Counter{first, second} {
		if err := counter.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if told[201] != 40 || told[201]+told[409] != 200 {
		t.Fatalf("answers = %v, want 40 of 201 and 160 of 409", told)
	}
	want := map[string]string{"api": "received:200 new:40 duplicate:160",
		"batch": "received:600 new:201 validation:200 duplicate:199", "form": "received:20 new:20",
		"totals": "received:820 new:261 validation:200 duplicate:359"}
	if diff := cmp.Diff(want, b.books(t, c, "")); diff != "" {
		t.Errorf("books (-want +got):\n%s", diff)
	}
}
