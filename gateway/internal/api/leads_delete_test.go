package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/api"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

func TestDeleteAndRestoreLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lead := b.mustCreate(t, b.owner, "a@example.com")
	path := "/api/v1/leads/" + lead
	if got := b.send(t, b.secret, "DELETE", path, ""); got.status != 204 || got.text != "" {
		t.Fatalf("DELETE = %d %s, want 204", got.status, got.text)
	}
	for _, route := range []string{"GET ", "DELETE ", "PATCH "} {
		method := strings.TrimSpace(route)
		body := ""
		if method == "PATCH" {
			body = `{"name":"x"}`
		}
		b.send(t, b.secret, method, path, body).wantError(t, method+" of a deleted lead", 404, "NOT_FOUND")
	}
	for _, read := range []string{"", "/timeline", "/submissions"} {
		gone := b.send(t, b.secret, "GET", path+read+"?deleted=false", "")
		gone.wantError(t, "deleted=false", 404, "NOT_FOUND")
		if !strings.Contains(gone.text, "?deleted=true reads it") {
			t.Errorf("GET %s of a deleted lead = %s, want how to read it", read, gone.text)
		}
		b.send(t, b.secret, "GET", path+read+"?deleted=yes", "").wantError(t, "deleted=yes", 400, "VALIDATION_ERROR")
		if got := b.send(t, b.secret, "GET", path+read+"?deleted=true", ""); got.status != 200 ||
			read == "" && !strings.Contains(got.text, `"deletedAt":"`) {
			t.Errorf("GET %s of a deleted lead with deleted=true = %d %s", read, got.status, got.text)
		}
	}
	other := b.mustCreate(t, b.owner, "a@example.com") // at once
	taken := b.send(t, b.secret, "POST", path+"/restore", "")
	taken.wantError(t, "restore while the email is taken", 409, "DUPLICATE_EMAIL")
	if !strings.Contains(taken.text, other) {
		t.Errorf("409 = %s, want %s named", taken.text, other)
	}
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+other, ""); got.status != 204 {
		t.Fatalf("DELETE = %d %s, want 204", got.status, got.text)
	}
	back := b.send(t, b.secret, "POST", path+"/restore", "")
	if back.status != 200 || back.lead(t).ID != lead || strings.Contains(back.text, "deletedAt") ||
		back.header.Get("ETag") == "" {
		t.Fatalf("restore = %d %s, want the lead", back.status, back.text)
	}
	b.send(t, b.secret, "POST", path+"/restore", "").wantError(t, "restore of a live lead", 404, "NOT_FOUND")
	dup := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`)
	dup.wantError(t, "POST after the restore", 409, "DUPLICATE_EMAIL")
	if !strings.Contains(dup.text, lead) {
		t.Errorf("409 = %s, want %s named", dup.text, lead)
	}
}

func TestOtherTenantsLeadsStay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.mustWorkspace(t, tenant.Settings{})
	lead := b.mustCreate(t, other, "a@example.com")
	path := "/api/v1/leads/" + lead
	for _, route := range []string{"GET " + path + "?deleted=true", "DELETE " + path,
		"DELETE " + path + "?erase=true&suppress=true", "POST " + path + "/restore", "DELETE /api/v1/leads/x", "POST /api/v1/leads/x/restore"} {
		method, at, _ := strings.Cut(route, " ")
		b.send(t, b.secret, method, at, "").wantError(t, route, 404, "NOT_FOUND")
	}
	if got := b.send(t, other.secret, "GET", path, ""); got.status != 200 {
		t.Errorf("GET as its owner = %d %s, want 200", got.status, got.text)
	}
	b.mustCreate(t, b.owner, "a@example.com") // not suppressed either
}

func TestEraseLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	live, deleted := b.mustCreate(t, b.owner, "a@example.com"), b.mustCreate(t, b.owner, "b@example.com")
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+deleted, ""); got.status != 204 {
		t.Fatalf("DELETE = %d %s, want 204", got.status, got.text)
	}
	for lead, events := range map[string]int{live: 1, deleted: 2} {
		got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+lead+"?erase=true", "")
		var receipt struct {
			ID, LeadID, ErasedAt string
			Erased               map[string]int
			Suppressed           *bool
		}
		if err := json.Unmarshal(got.body.Data, &receipt); err != nil || got.status != 200 || !strings.HasPrefix(receipt.ID,
			"aud_") || receipt.LeadID != lead ||
			receipt.Erased["leads"] != 1 || receipt.Erased["events"] != events || len(receipt.Erased) != 7 ||
			receipt.Suppressed == nil || *receipt.Suppressed {
			t.Errorf("erase = %d %s, want a receipt with %d events", got.status, got.text, events)
		}
		b.send(t, b.secret, "DELETE", "/api/v1/leads/"+lead+"?erase=true", "").wantError(t, "erase again", 404, "NOT_FOUND")
		b.send(t, b.secret, "POST", "/api/v1/leads/"+lead+"/restore", "").wantError(t, "restore of an erased lead", 404,
			"NOT_FOUND")
		shown := b.send(t, b.secret, "GET", "/api/v1/events?leadId="+lead, "")
		if shown.status != 200 || !strings.Contains(shown.text, "lead.created") || !strings.Contains(shown.text,
			"lead.deleted") || strings.Contains(shown.text, "@example.com") {
			t.Errorf("its events = %d %s, want them without the email", shown.status, shown.text)
		}
	}
	b.mustCreate(t, b.owner, "a@example.com")
	b.mustCreate(t, b.owner, "b@example.com")
	for _, query := range []string{"?erase=yes", "?erase=", "?suppress=true", "?erase=false&suppress=true", "?gone=true"} {
		b.send(t, b.secret, "DELETE", "/api/v1/leads/"+id.Lead.Format(id.New())+query, "").wantError(t, query, 400,
			"VALIDATION_ERROR")
	}
}

func TestSuppressedEmailsDoNotComeBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lead := b.mustCreate(t, b.owner, "john+x@example.com")
	free := b.mustCreate(t, b.owner, "free@example.com")
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+lead+"?erase=true&suppress=true", ""); got.status != 200 ||
		!strings.Contains(got.text, `"suppressed":true`) {
		t.Fatalf("erase = %d %s, want it suppressed", got.status, got.text)
	}
	b.forward(time.Second) // gateways follow within a second
	refused := func(what, method, path, body string) {
		t.Helper()
		b.send(t, b.secret, method, path, body).wantError(t, what, 409, "EMAIL_SUPPRESSED")
	}
	refused("POST", "POST", "/api/v1/leads", `{"email":"John+X@Example.com"}`)
	refused("POST, update", "POST", "/api/v1/leads?onDuplicate=update", `{"email":"John+X@Example.com"}`)
	refused("PATCH", "PATCH", "/api/v1/leads/"+free, `{"email":"John+X@Example.com"}`)
	gone := "/api/v1/suppressions?email=" + url.QueryEscape("JOHN+x@example.com")
	if got := b.send(t, b.secret, "DELETE", gone, ""); got.status != 204 {
		t.Errorf("DELETE = %d %s, want 204", got.status, got.text)
	}
	b.send(t, b.secret, "DELETE", gone, "").wantError(t, "DELETE again", 404, "NOT_FOUND")
	b.mustCreate(t, b.owner, "john+x@example.com")

	for range 2 { // again is as well
		if got := b.send(t, b.secret, "POST", "/api/v1/suppressions", `{"email":" Free@example.com"}`); got.status != 201 ||
			got.text != `{"success":true,"data":{"email":"Free@example.com"}}`+"\n" {
			t.Errorf("POST = %d %s, want 201 with the email", got.status, got.text)
		}
	}
	if got := b.send(t, b.secret, "PATCH", "/api/v1/leads/"+free, `{"email":"FREE@example.com"}`); got.status != 200 {
		t.Errorf("PATCH of a lead that has a suppressed email = %d %s, want 200: it stays", got.status, got.text)
	}
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+free, ""); got.status != 204 {
		t.Errorf("DELETE = %d %s, want 204", got.status, got.text)
	}
	refused("restore", "POST", "/api/v1/leads/"+free+"/restore", "")
	other := b.mustWorkspace(t, tenant.Settings{})
	b.mustCreate(t, other, "free@example.com")
	for body, why := range map[string]string{`{}`: "nothing", `{"email":"x"}`: "no email", `{"email":1}`: "a number",
		`[]`: "no object", `{"email":"a@example.com","x":1}`: "an unknown field"} {
		t.Run(body, func(t *testing.T) {
			b.send(t, b.secret, "POST", "/api/v1/suppressions", body).wantError(t, why, 400, "VALIDATION_ERROR")
		})
	}
	b.send(t, b.secret, "DELETE", "/api/v1/suppressions", "").wantError(t, "DELETE of nothing", 400, "VALIDATION_ERROR")
}

// An email that was freed while Redis is away is free.
func TestDeleteLeadWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lead := b.mustCreate(t, b.owner, "a@example.com")
	b.redis.Close()
	if got := b.send(t, b.secret, "DELETE", "/api/v1/leads/"+lead, ""); got.status != 204 {
		t.Fatalf("DELETE = %d %s, want 204", got.status, got.text)
	}
	b.mustCreate(t, b.owner, "a@example.com")
}

// A lead of which very many events tell is deleted at once, and erased by and by; its receipt becomes whole.
func TestErasureGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *api.Deps) { d.EraseWithin = time.Nanosecond })
	path := "/api/v1/leads/" + b.mustCreate(t, b.owner, "a@example.com")
	const events = 2000
	b.db.MustExecContext(t.Context(), `
insert into events (workspace_id, id, type, lead_id, data, created_at)
select $1, delivery_id(uuid_floor(at), gen_random_uuid()), 'lead.updated', $2, '{"email":"a@example.com"}', at
  from (select now() - interval '1 minute' + n * interval '1 ms' from generate_series(2, $3) n) x (at)`,
		b.workspace, b.leadID(t, strings.TrimPrefix(path, "/api/v1/leads/")), events)
	type receipt struct {
		ID, LeadID, State string
		ErasedAt          *string
		Erased            map[string]int
		Suppressed        bool
	}
	read := func(a answer, status int) (r receipt) {
		t.Helper()
		if err := json.Unmarshal(a.body.Data, &r); err != nil || a.status != status {
			t.Fatalf("answer = %d %s, want a receipt with %d", a.status, a.text, status)
		}
		return r
	}
	first := b.send(t, b.secret, "DELETE", path+"?erase=true&suppress=true", "")
	begun := read(first, 202)
	if begun.State != "running" || begun.ErasedAt != nil || begun.Erased["leads"] != 0 || begun.Erased["events"] != 500 ||
		first.header.Get("Location") != "/api/v1/erasures/"+begun.ID {
		t.Errorf("first answer = %s to %s, want a running receipt", first.text, first.header.Get("Location"))
	}
	b.send(t, b.secret, "GET", path, "").wantError(t, "the lead", 404, "NOT_FOUND")
	b.send(t, b.secret, "POST", path+"/restore", "").wantError(t, "to restore it", 404, "NOT_FOUND")
	b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`).wantError(t, "its email", 409, "EMAIL_SUPPRESSED")
	again := read(b.send(t, b.secret, "DELETE", path+"?erase=true", ""), 202)
	if again.ID != begun.ID {
		t.Errorf("another erasure has the receipt %s, want %s", again.ID, begun.ID)
	}
	where := "/api/v1/erasures/" + begun.ID
	if r := read(b.send(t, b.secret, "GET", where, ""), 200); r.State != "running" || r.LeadID != begun.LeadID ||
		r.Erased["events"] != 1000 || !r.Suppressed {
		t.Errorf("the receipt meanwhile = %+v, want it running, with 1000 events", r)
	}
	running, err := b.db.RunningErasures(t.Context(), 10)
	if err != nil || len(running) != 1 {
		t.Fatalf("RunningErasures() = %v, %v, want one", running, err)
	}
	if _, err := b.db.EraseLead(t.Context(), running[0].Workspace, running[0].Lead, pg.Erasure{Job: &running[0]}); err != nil {
		t.Fatal(err)
	}
	r := read(b.send(t, b.secret, "GET", where, ""), 200)
	if r.State != "done" || r.ErasedAt == nil || r.Erased["leads"] != 1 || r.Erased["events"] != events+1 || !r.Suppressed {
		t.Errorf("the receipt then = %+v, want it done, with %d events", r, events+1)
	}
	b.send(t, b.mustWorkspace(t, tenant.Settings{}).secret, "GET", where, "").wantError(t, "another's", 404, "NOT_FOUND")
	b.send(t, b.secret, "GET", "/api/v1/erasures/aud_x", "").wantError(t, "no id", 404, "NOT_FOUND")
	var told int
	if err := b.db.GetContext(t.Context(), &told, `
select (select count(*) from erasures) + (select count(*) from events where data::text like '%a@example.com%')`); err != nil || told > 0 {
		t.Errorf("%d rows are left, %v", told, err)
	}
}
