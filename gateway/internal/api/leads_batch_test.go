package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// batchSaid is what the data of a 207 say.
type batchSaid struct {
	Results []struct {
		Index, Status   int
		ID, Error, Code string
		Details         struct {
			Email, ExistingLeadID, Message string
			DuplicateOf                    *int
			Errors                         []struct{ Pointer string }
		}
	}
	Created, Updated, Returned, Duplicates, Rejected int
}

func (b *bundle) batch(t *testing.T, c owner, query, body string) batchSaid {
	t.Helper()
	return readBatch(t, b.send(t, c.secret, "POST", "/api/v1/leads/batch"+query, body))
}

func readBatch(t *testing.T, a answer) (said batchSaid) {
	t.Helper()
	if a.status != http.StatusMultiStatus {
		t.Fatalf("batch = %d %s, want 207", a.status, a.text)
	}
	if err := json.Unmarshal(a.body.Data, &said); err != nil {
		t.Fatal(err)
	}
	for i, r := range said.Results {
		if r.Index != i {
			t.Errorf("result %d says it is %d", i, r.Index)
		}
	}
	return said
}

// statuses are those of the results, and the counts.
func (s *batchSaid) String() string {
	var b strings.Builder
	for _, r := range s.Results {
		fmt.Fprintf(&b, "%d ", r.Status)
	}
	fmt.Fprintf(&b, "created %d updated %d returned %d duplicates %d rejected %d", s.Created, s.Updated, s.Returned,
		s.Duplicates, s.Rejected)
	return b.String()
}

func TestBatchTellsWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	there := b.mustCreate(t, b.owner, "there@example.com")
	cb := id.Chatbot.Format(b.chatbot)
	got := b.send(t, b.secret, "POST", "/api/v1/leads/batch", `{"leads":[
		{"email":"one@example.com","name":"One","metadata":{"a":1.50},"chatbotId":"`+cb+`"},
		{"email":"There@Example.com"},
		{"email":"nonsense","status":"odd"},
		{"email":"two@example.com","chatbotId":"`+id.Chatbot.Format(other.chatbot)+`"},
		{"email":"ONE@example.com"},
		{"email":"two@example.com"}]}`)
	said := readBatch(t, got)
	if want := "201 409 400 404 409 201 created 2 updated 0 returned 0 duplicates 2 rejected 2"; said.String() != want {
		t.Fatalf("batch = %s, want %s: %s", &said, want, got.text)
	}
	r := said.Results
	if d := r[1].Details; r[1].Code != "DUPLICATE_EMAIL" || d.ExistingLeadID != there || d.Email != "There@Example.com" ||
		d.DuplicateOf != nil || d.Message == "" {
		t.Errorf("a duplicate = %+v, want %s named", r[1], there)
	}
	if d := r[2].Details; r[2].Code != "VALIDATION_ERROR" || len(d.Errors) != 2 ||
		d.Errors[0].Pointer != "/leads/2/email" || d.Errors[1].Pointer != "/leads/2/status" {
		t.Errorf("a mistake = %+v, want both places", r[2])
	}
	if r[3].Code != "CHATBOT_NOT_FOUND" {
		t.Errorf("another workspace's chatbot = %+v, want CHATBOT_NOT_FOUND", r[3])
	}
	if d := r[4].Details; d.DuplicateOf == nil || *d.DuplicateOf != 0 || d.ExistingLeadID != r[0].ID {
		t.Errorf("the same email again = %+v, want duplicateOf 0 and %s", r[4], r[0].ID)
	}
	read := b.send(t, b.secret, "GET", "/api/v1/leads/"+r[0].ID, "")
	if !regexp.MustCompile(`"name":"One","email":"one@example.com",.*"metadata":\{"a":1.50\},.*"chatbotId":"` +
		cb).MatchString(read.text) {
		t.Errorf("the first lead reads %s", read.text)
	}
	if n := b.leads(t, b.owner); n != 3 {
		t.Errorf("there are %d leads, want 3", n)
	}
	b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"one@example.com"}`).wantError(t, "a lead of the batch again",
		409, "DUPLICATE_EMAIL")
	b.db.Close()
	b.send(t, b.secret, "POST", "/api/v1/leads/batch", `{"leads":[{"email":"three@example.com"}]}`).wantError(t,
		"a batch without Postgres", 503, "UNAVAILABLE")
}

func TestBatchReturnsOrUpdatesDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads",
		`{"email":"there@example.com","name":"Old","phone":"+1-555-123-4567","metadata":{"a":1,"b":2}}`))
	const body = `{"leads":[{"email":"new@example.com"},{"email":"there@example.com","name":"New","metadata":{"b":null,"c":3}},{"email":"there@example.com","status":"contacted"},{"email":"new@example.com","name":"Later"}]}`

	returned := b.batch(t, b.owner, "?onDuplicate=return", body)
	if want := "201 200 200 200 created 1 updated 0 returned 3 duplicates 0 rejected 0"; returned.String() != want ||
		returned.Results[1].ID != there || returned.Results[3].ID != returned.Results[0].ID {
		t.Errorf("return = %s %+v, want %s", &returned, returned.Results, want)
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/leads/"+there, ""); !strings.Contains(got.text, `"name":"Old"`) {
		t.Errorf("return changed the lead: %s", got.text)
	}
	updated := b.batch(t, b.owner, "?onDuplicate=update", body)
	if want := "200 200 200 200 created 0 updated 4 returned 0 duplicates 0 rejected 0"; updated.String() != want {
		t.Errorf("update = %s, want %s", &updated, want)
	}
	got := b.send(t, b.secret, "GET", "/api/v1/leads/"+there, "")
	for _, want := range []string{`"name":"New"`, `"phone":"+1-555-123-4567"`, `"status":"contacted"`, `"a":1`, `"c":3`} {
		if !strings.Contains(got.text, want) {
			t.Errorf("updated lead = %s, want %s in it", got.text, want)
		}
	}
	if strings.Contains(got.text, `"b":2`) {
		t.Errorf("updated lead = %s, want no b", got.text)
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/leads/"+updated.Results[0].ID, ""); !strings.Contains(got.text,
		`"name":"Later"`) {
		t.Errorf("a lead twice in a batch = %s, want what came later", got.text)
	}
	b.send(t, b.secret, "POST", "/api/v1/leads/batch?onDuplicate=maybe", body).wantError(t, "an unknown onDuplicate", 400,
		"VALIDATION_ERROR")
}

func TestBatchAmongChatbotsAndWithoutDedupe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for dedupe, want := range map[tenant.Dedupe]string{
		tenant.DedupeChatbot: "201 201 409 created 2 updated 0 returned 0 duplicates 1 rejected 0",
		tenant.DedupeNone:    "201 201 201 created 3 updated 0 returned 0 duplicates 0 rejected 0",
	} {
		c := b.mustWorkspace(t, tenant.Settings{Dedupe: dedupe})
		said := b.batch(t, c, "", `{"leads":[{"email":"a@example.com"},{"email":"a@example.com","chatbotId":"`+
			id.Chatbot.Format(c.chatbot)+`"},{"email":"a@example.com"}]}`)
		if said.String() != want {
			t.Errorf("%s: batch = %s, want %s", dedupe, &said, want)
		}
	}
}

func TestBatchSuppressed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.mustWorkspace(t, tenant.Settings{})
	const q = `insert into suppressions (workspace_id, email_hash, created_at) values ($1, $2, now())`
	if _, err := b.db.ExecContext(t.Context(), q, c.workspace, lead.SuppressionHash(c.workspace,
		"gone@example.com")); err != nil {
		t.Fatal(err)
	}
	said := b.batch(t, c, "?onDuplicate=update",
		`{"leads":[{"email":"Gone@example.com"},{"email":"a@example.com"},{"email":"gone@example.com"}]}`)
	if want := "409 201 409 created 1 updated 0 returned 0 duplicates 0 rejected 2"; said.String() != want ||
		said.Results[0].Code != "EMAIL_SUPPRESSED" || said.Results[2].Code != "EMAIL_SUPPRESSED" {
		t.Errorf("batch = %s %+v, want %s", &said, said.Results, want)
	}
}

func TestBatchThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for what, body := range map[string]string{
		"no JSON": `nonsense`, "no leads": `{}`, "an empty list": `{"leads":[]}`,
		"an unknown field": `{"leads":[{"email":"a@example.com"}],"more":1}`,
		"501 leads":        `{"leads":[` + strings.Repeat(`{"email":"a@example.com"},`, 500) + `{"email":"a@example.com"}]}`,
	} {
		t.Run(what, func(t *testing.T) {
			b.send(t, b.secret, "POST", "/api/v1/leads/batch", body).wantError(t, what, 400, "VALIDATION_ERROR")
		})
	}
	b.send(t, b.secret, "POST", "/api/v1/leads/batch", `{"leads":[{"email":"`+strings.Repeat("a", 5<<20)+
		`"}]}`).wantError(t, "more than 5 MiB", 413, "PAYLOAD_TOO_LARGE")
	b.send(t, b.secret, "POST", "/api/v1/leads/batch?other=1", `{"leads":[{"email":"a@example.com"}]}`).wantError(t,
		"an unknown parameter", 400, "VALIDATION_ERROR")
	if n := b.leads(t, b.owner); n != 0 {
		t.Errorf("there are %d leads, want none", n)
	}
}

// A row that Postgres refuses costs only itself, and the batch can be sent again under its key until it is whole.
func TestBatchIsOneRequestAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 3})
	pgtest.Exec(t, b.db, `alter table leads add constraint poison check (email not like 'poison%')`)
	var body strings.Builder
	for i := range 40 {
		fmt.Fprintf(&body, `,{"email":"r%d@example.com"}`, i)
	}
	text := `{"leads":[{"email":"poison@example.com"}` + body.String() + `]}`
	first := readBatch(t, b.keyed(t, c.secret, "/api/v1/leads/batch", "k", text))
	if first.Created != 40 || first.Rejected != 1 || first.Results[0].Status != 503 ||
		first.Results[0].Code != "UNAVAILABLE" {
		t.Fatalf("batch = %s, want 40 leads and one refused", &first)
	}
	pgtest.Exec(t, b.db, `alter table leads drop constraint poison`)
	second := readBatch(t, b.keyed(t, c.secret, "/api/v1/leads/batch", "k", text))
	if second.Created != 41 || second.Results[7].ID != first.Results[7].ID {
		t.Errorf("batch again = %s, want all 41 created, under the same ids", &second)
	}
	third := b.keyed(t, c.secret, "/api/v1/leads/batch", "k", text)
	if third.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("batch once more = %d %s, want a replay", third.status, third.text)
	}
	limited := false
	for range 30 { // on a busy machine the rate allows another now and then
		limited = limited || b.keyed(t, c.secret, "/api/v1/leads/batch", "k", text).status == 429
	}
	if !limited {
		t.Error("33 requests at once were taken, want 429 after some three: batches of 41 count as one each, and no less")
	}
	if n := b.leads(t, c); n != 41 {
		t.Errorf("there are %d leads, want 41", n)
	}
}

// While four batches of a workspace are under way a fifth is told to come back.
func TestFewBatchesAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.batch(t, b.owner, "", `{"leads":[{"email":"before@example.com"}]}`)
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	tx.MustExecContext(t.Context(), `lock table leads in access exclusive mode`)
	var under sync.WaitGroup
	for i := range 4 {
		under.Go(func() {
			body := fmt.Sprintf(`{"leads":[{"email":"few%d@example.com"}]}`, i)
			if got := b.send(t, b.secret, "POST", "/api/v1/leads/batch", body); got.status != 207 || !strings.Contains(got.text,
				`"created":1`) {
				t.Errorf("batch %d = %d %s, want a lead", i, got.status, got.text)
			}
		})
	}
	b.awaitBlocked(t, 4)
	got := b.keyed(t, b.secret, "/api/v1/leads/batch", "k", `{"leads":[{"email":"few@example.com"}]}`)
	got.wantError(t, "a fifth batch", 429, "RATE_LIMITED")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("a fifth batch: Retry-After = %q, want 1", got.header.Get("Retry-After"))
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	under.Wait()
	if said := readBatch(t, b.keyed(t, b.secret, "/api/v1/leads/batch", "k",
		`{"leads":[{"email":"few@example.com"}]}`)); said.Created != 1 {
		t.Errorf("the fifth batch again = %s, want a lead", &said)
	}
}
