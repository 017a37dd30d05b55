package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// keyed posts a body with an Idempotency-Key.
func (b *bundle) keyed(t *testing.T, secret, path, key, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	return b.do(t, req)
}

// leads counts a workspace's leads.
func (b *bundle) leads(t *testing.T, c owner) (n int) {
	t.Helper()
	if err := b.db.GetContext(t.Context(), &n, `select count(*) from leads where workspace_id = $1`,
		c.workspace); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantReplay checks that got is first, sent again.
func (a answer) wantReplay(t *testing.T, what string, first answer) {
	t.Helper()
	if a.status != first.status || a.text != first.text || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s = %d %s, replayed %q, want %d %s again", what, a.status, a.text, a.header.Get("Idempotency-Replayed"),
			first.status, first.text)
	}
	for _, name := range []string{"Location", "Content-Type", "ETag"} {
		if got, want := a.header.Get(name), first.header.Get(name); got != want {
			t.Errorf("%s: %s = %q, want %q", what, name, got, want)
		}
	}
	if a.header.Get("X-RateLimit-Remaining") == "" {
		t.Errorf("%s carries no rate limit", what)
	}
}

func TestKeyedRequestHappensOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body = `{"email":"once@example.com","metadata":{"n":1.50}}`
	first := b.keyed(t, b.secret, "/api/v1/leads", "k1", body)
	made := mustID(t, first)
	if first.header.Get("Idempotency-Replayed") != "" || first.header.Get("Location") == "" {
		t.Errorf("the first answer has headers %v, want a Location and no Idempotency-Replayed", first.header)
	}
	b.keyed(t, b.secret, "/api/v1/leads", "k1", body).wantReplay(t, "the same again", first)
	b.keyed(t, b.secret, "/api/v1/leads", `"k1"`, body).wantReplay(t, "the same key in quotes", first)
	if err := b.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	b.keyed(t, b.secret, "/api/v1/leads", "k1", body).wantReplay(t, "the same after Redis was flushed", first)
	for what, other := range map[string][2]string{
		"another email":           {"/api/v1/leads", strings.Replace(body, "once", "twice", 1)},
		"a number of more digits": {"/api/v1/leads", strings.Replace(body, "1.50", "1.500", 1)},
		"a parameter more":        {"/api/v1/leads?onDuplicate=return", body},
		"another path":            {"/api/v1/chatbots/" + id.Chatbot.Format(b.chatbot) + "/leads", body},
		"another route":           {"/api/v1/leads/batch", `{"leads":[{"email":"other@example.com"}]}`},
	} {
		b.keyed(t, b.secret, other[0], "k1", other[1]).wantError(t, what, 422, "IDEMPOTENCY_MISMATCH")
	}
	duplicate := b.keyed(t, b.secret, "/api/v1/leads", "k2", body)
	if duplicate.status != 409 || !strings.Contains(duplicate.text, made) {
		t.Errorf("another key = %d %s, want 409 with %s", duplicate.status, duplicate.text, made)
	}
	b.keyed(t, b.secret, "/api/v1/leads", "k2", body).wantReplay(t, "a 409 again", duplicate)
	if n := b.leads(t, b.owner); n != 1 {
		t.Errorf("there are %d leads, want 1", n)
	}
	other := b.mustWorkspace(t, tenant.Settings{})
	if got := b.keyed(t, other.secret, "/api/v1/leads", "k1", body); mustID(t, got) == made {
		t.Errorf("another workspace's key = %s, want a lead of its own", got.text)
	}
}

// Programs write one request in many ways: members in another order, spaces, escapes. It is the same all the same.
func TestAnotherSpellingIsTheSameRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const path = "/api/v1/leads?onDuplicate=return"
	first := b.keyed(t, b.secret, path, "k", `{"email":"bj\u00f6rk@example.com","metadata":{"a":1,"b":["x","y"],"id":123456789012345678}}`)
	if mustID(t, first); first.status != 201 {
		t.Fatalf("the first = %d %s, want 201", first.status, first.text)
	}
	for _, again := range []string{
		`{"metadata":{"id":123456789012345678,"b":["x","y"],"a":1},"email":"bj\u00f6rk@example.com"}`,
		"{\n  \"email\": \"björk@example.com\",\n  \"metadata\": {\"a\": 1, \"b\": [\"x\", \"y\"], \"id\": 123456789012345678}\n}\n",
		`{"em\u0061il":"bj\u00F6rk@example\u002ecom","metadata":{"a":1,"b":["\u0078","y"],"id":123456789012345678}}`,
	} {
		b.keyed(t, b.secret, path, "k", again).wantReplay(t, again, first)
	}
	for what, other := range map[string]string{
		"a list in another order":         `{"email":"björk@example.com","metadata":{"a":1,"b":["y","x"],"id":123456789012345678}}`,
		"a number that rounds to it":      `{"email":"björk@example.com","metadata":{"a":1,"b":["x","y"],"id":123456789012345679}}`,
		"a text that is another's number": `{"email":"björk@example.com","metadata":{"a":"1","b":["x","y"],"id":123456789012345678}}`,
	} {
		b.keyed(t, b.secret, path, "k", other).wantError(t, what, 422, "IDEMPOTENCY_MISMATCH")
	}
}

// What was made or found is kept; a mistake is not, and its key takes the mended request. Nor is what a repetition may
// cure.
func TestWhichAnswersAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	wrong := b.keyed(t, b.secret, "/api/v1/leads", "wrong", `{"email":"nonsense"}`)
	wrong.wantError(t, "a mistake", 400, "VALIDATION_ERROR")
	again := b.keyed(t, b.secret, "/api/v1/leads", "wrong", `{"email":"nonsense"}`)
	again.wantError(t, "a mistake again", 400, "VALIDATION_ERROR")
	if again.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("a mistake is kept: %s", again.text)
	}
	corrected := b.keyed(t, b.secret, "/api/v1/leads", "wrong", `{"email":"sense@example.com"}`)
	mustID(t, corrected)
	b.keyed(t, b.secret, "/api/v1/leads", "wrong", `{"email":"sense@example.com"}`).wantReplay(t, "mended, again", corrected)
	b.keyed(t, b.secret, "/api/v1/leads", "wrong", `{"email":"nonsense"}`).wantError(t, "the mistake after that", 422,
		"IDEMPOTENCY_MISMATCH")
	b.keyed(t, b.secret, "/api/v1/leads/batch", "batch", `{"leads":[]}`).wantError(t, "an empty batch", 400, "VALIDATION_ERROR")
	if got := b.keyed(t, b.secret, "/api/v1/leads/batch", "batch", `{"leads":[{"email":"one@example.com"}]}`); got.status != 207 {
		t.Errorf("a mended batch = %d %s, want 207", got.status, got.text)
	}
	var kept int
	if err := b.db.GetContext(t.Context(), &kept, `select count(*) from idempotency where status is null or status = 400`); err != nil ||
		kept > 0 {
		t.Errorf("%d keys of mistakes are left, %v", kept, err)
	}
	taken := b.keyed(t, b.secret, "/api/v1/leads", "taken", `{"email":"sense@example.com"}`)
	taken.wantError(t, "a duplicate", 409, "DUPLICATE_EMAIL")
	b.keyed(t, b.secret, "/api/v1/leads", "taken", `{"email":"sense@example.com"}`).wantReplay(t, "a duplicate again", taken)

	const mended = `{"email":"mended@example.com"}`
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/leads", strings.NewReader(mended))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + b.secret}, "Content-Type": {"text/plain"},
		"Idempotency-Key": {"mended"}}
	b.do(t, req).wantError(t, "a wrong type", 415, "UNSUPPORTED_MEDIA_TYPE")
	mustID(t, b.keyed(t, b.secret, "/api/v1/leads", "mended", mended))

	for range 2 {
		got := b.keyed(t, b.secret, "/api/v1/chatbots/"+id.Chatbot.Format(b.workspace)+"/leads", "early", mended)
		got.wantError(t, "a chatbot that is not there yet", 404, "CHATBOT_NOT_FOUND")
		if got.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("a 404 is replayed: %s", got.text)
		}
	}

	slow := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 1})
	const body = `{"email":"limited@example.com"}`
	mustID(t, b.keyed(t, slow.secret, "/api/v1/leads", "a", `{"email":"first@example.com"}`))
	b.keyed(t, slow.secret, "/api/v1/leads", "b", body).wantError(t, "over the limit", 429, "RATE_LIMITED")
	b.keyed(t, slow.secret, "/api/v1/leads", "a", `{"email":"first@example.com"}`).wantError(t, "a replay over the limit",
		429, "RATE_LIMITED")
	if err := b.redis.FlushAll(t.Context()).Err(); err != nil { // the limit begins anew
		t.Fatal(err)
	}
	mustID(t, b.keyed(t, slow.secret, "/api/v1/leads", "b", body))
}

func TestManyAtOnceWithOneKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const posts = 60
	answers := make([]answer, posts)
	var wg sync.WaitGroup
	for i := range posts {
		wg.Go(func() { answers[i] = b.keyed(t, b.secret, "/api/v1/leads", "storm", `{"email":"storm@example.com"}`) })
	}
	wg.Wait()
	last := b.keyed(t, b.secret, "/api/v1/leads", "storm", `{"email":"storm@example.com"}`)
	for _, a := range answers {
		switch {
		case a.status == 201 && a.text == last.text:
		case a.status == 409 && a.body.Code == "IDEMPOTENCY_IN_PROGRESS" && a.header.Get("Retry-After") == "1":
		default:
			t.Errorf("one of many = %d %s, want %s or IDEMPOTENCY_IN_PROGRESS with Retry-After", a.status, a.text, last.text)
		}
	}
	if n := b.leads(t, b.owner); n != 1 || last.status != 201 {
		t.Errorf("there are %d leads and the answer is %d %s, want 1 and 201", n, last.status, last.text)
	}
}

// crash leaves the claims as a gateway does that was killed between the commit and keeping the answer, that long ago.
func (b *bundle) crash(t *testing.T, ago time.Duration) {
	t.Helper()
	const q = `update idempotency set status = null, headers = null, body = null, taken_at = now() - make_interval(secs => $1)`
	if _, err := b.db.ExecContext(t.Context(), q, ago.Seconds()); err != nil {
		t.Fatal(err)
	}
}

func TestWhoTakesOverMakesTheSameLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const one, many = `{"email":"crash@example.com","name":"Zoë"}`,
		`{"leads":[{"email":"crash1@example.com"},{"email":"crash@example.com"},{"email":"crash2@example.com"}]}`
	first := b.keyed(t, b.secret, "/api/v1/leads", "one", one)
	made := mustID(t, first)
	batch := b.keyed(t, b.secret, "/api/v1/leads/batch", "many", many)
	if batch.status != 207 || strings.Count(batch.text, `"status":201`) != 2 {
		t.Fatalf("batch = %d %s, want two new leads", batch.status, batch.text)
	}
	b.crash(t, 20*time.Second)
	got := b.keyed(t, b.secret, "/api/v1/leads", "one", one)
	got.wantError(t, "before the claim lapses", 409, "IDEMPOTENCY_IN_PROGRESS")
	b.crash(t, 31*time.Second)
	for what, again := range map[string]func() (answer, answer){
		"one":  func() (answer, answer) { return b.keyed(t, b.secret, "/api/v1/leads", "one", one), first },
		"many": func() (answer, answer) { return b.keyed(t, b.secret, "/api/v1/leads/batch", "many", many), batch },
	} {
		got, want := again()
		if got.status != want.status || got.text != want.text || got.header.Get("Location") != want.header.Get("Location") {
			t.Errorf("%s, taken over = %d %s, want %d %s", what, got.status, got.text, want.status, want.text)
		}
	}
	if n := b.leads(t, b.owner); n != 3 {
		t.Errorf("there are %d leads, want 3", n)
	}

	// Deleted before it was taken over: what was asked for was done all the same.
	leadID, err := id.Lead.Parse(made)
	if err != nil {
		t.Fatal(err)
	}
	const gone = `update leads set deleted_at = now(), email_key = $3 where workspace_id = $1 and id = $2`
	if _, err := b.db.ExecContext(t.Context(), gone, b.workspace, leadID, tenant.FreedKey("crash@example.com",
		leadID)); err != nil {
		t.Fatal(err)
	}
	b.crash(t, time.Minute)
	if got := b.keyed(t, b.secret, "/api/v1/leads", "one", one); got.status != 201 || got.text != first.text {
		t.Errorf("taken over after the lead was deleted = %d %s, want %s", got.status, got.text, first.text)
	}
}

// Whatever was answered about a lead is gone with it, under whichever key; and it is not made again.
func TestErasedAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body, many = `{"email":"erased@example.com","name":"Zoë"}`, `{"leads":[{"email":"erased@example.com"}]}`
	made := mustID(t, b.keyed(t, b.secret, "/api/v1/leads", "made", body))
	for key, want := range map[string]int{"error": 409, "return": 200, "update": 200} {
		if got := b.keyed(t, b.secret, "/api/v1/leads?onDuplicate="+key, key, body); got.status != want {
			t.Fatalf("%s = %d %s, want %d", key, got.status, got.text, want)
		}
	}
	b.keyed(t, b.secret, "/api/v1/leads/batch", "batch", many)
	other := b.keyed(t, b.secret, "/api/v1/leads", "other", `{"email":"other@example.com"}`)
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+made+"?erase=true", ""); got.status != 200 ||
		!strings.Contains(got.text, `"answers":5`) {
		t.Fatalf("erase = %d %s, want a receipt of 5 answers", got.status, got.text)
	}
	for _, key := range []string{"error", "return", "update"} {
		b.keyed(t, b.secret, "/api/v1/leads?onDuplicate="+key, key, body).wantError(t, key+" after the erasure", 409,
			"CONFLICT")
	}
	b.keyed(t, b.secret, "/api/v1/leads", "made", body).wantError(t, "the answer of an erased lead", 409, "CONFLICT")
	b.keyed(t, b.secret, "/api/v1/leads/batch", "batch", many).wantError(t, "a batch that named it", 409, "CONFLICT")
	b.keyed(t, b.secret, "/api/v1/leads", "other", `{"email":"other@example.com"}`).wantReplay(t, "another lead's answer",
		other)

	crashed := mustID(t, b.keyed(t, b.secret, "/api/v1/leads", "crashed", `{"email":"crashed@example.com"}`))
	b.crash(t, time.Minute)
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+crashed+"?erase=true", ""); got.status != 200 {
		t.Fatalf("erase = %d %s, want 200", got.status, got.text)
	}
	b.keyed(t, b.secret, "/api/v1/leads", "crashed", `{"email":"crashed@example.com"}`).wantError(t,
		"a lead that was made, not answered and erased", 409, "CONFLICT")
	if n := b.leads(t, b.owner); n != 1 {
		t.Errorf("there are %d leads, want the other one", n)
	}
}

func TestKeyedWithoutPostgres(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mustID(t, b.keyed(t, b.secret, "/api/v1/leads", "k", `{"email":"away@example.com"}`))
	b.db.Close()
	got := b.keyed(t, b.secret, "/api/v1/leads", "k", `{"email":"away@example.com"}`)
	got.wantError(t, "a replay without Postgres", 503, "UNAVAILABLE")
	if got.header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
}

func TestMalformedKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for what, key := range map[string]string{
		"empty": "", "empty in quotes": `""`, "too long": strings.Repeat("k", 256), "a space": "a b", "an open quote": `"abc`,
		"more after the quote": `"abc";a=1`,
		"a bad escape":         `"a\b"`, "not ASCII": "schlüssel", "a backslash at the end": `"abc\`,
	} {
		t.Run(what, func(t *testing.T) {
			b.keyed(t, b.secret, "/api/v1/leads", key, `{"email":"malformed@example.com"}`).wantError(t, what, 400,
				"VALIDATION_ERROR")
		})
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/leads",
		strings.NewReader(`{"email":"malformed@example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + b.secret}, "Content-Type": {"application/json"},
		"Idempotency-Key": {"a", "b"}}
	b.do(t, req).wantError(t, "two keys", 400, "VALIDATION_ERROR")
	if n := b.leads(t, b.owner); n != 0 {
		t.Errorf("there are %d leads, want none", n)
	}
	mustID(t, b.keyed(t, b.secret, "/api/v1/leads", strings.Repeat("k", 255), `{"email":"malformed@example.com"}`))
	b.keyed(t, b.secret, "/api/v1/leads", "large", `{"email":"`+strings.Repeat("a", 64<<10)+`"}`).wantError(t,
		"too large a body", 413, "PAYLOAD_TOO_LARGE")
}

// A bug leaves no claim behind: whoever tries again is not told to wait.
func TestAKeySurvivesA5xx(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const poison = `alter table leads add constraint poison check (email not like 'poison%')`
	pgtest.Exec(t, b.db, poison)
	if got := b.keyed(t, b.secret, "/api/v1/leads", "k", `{"email":"poison@example.com"}`); got.status != 500 {
		t.Fatalf("a refused row = %d %s, want 500", got.status, got.text)
	}
	pgtest.Exec(t, b.db, `alter table leads drop constraint poison`)
	mustID(t, b.keyed(t, b.secret, "/api/v1/leads", "k", `{"email":"poison@example.com"}`))
}
