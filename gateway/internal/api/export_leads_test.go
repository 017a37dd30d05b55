package api_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// mustFill makes n leads of size bytes of metadata, all at once.
func (b *bundle) mustFill(t *testing.T, n, size int) {
	t.Helper()
	pgtest.Exec(t, b.db, `
insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
select $1, overlay(uuid_floor(now())::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, 'fill' || n || '@example.com', 'fill' || n || '@example.com', 'api', 'new', json_build_object('a', repeat('x', $3)), now(), now()
  from generate_series(1, $2) n`, b.workspace, n, size)
	pgtest.Exec(t, b.db,
		`insert into enrichments (workspace_id, lead_id, due_at) select workspace_id, id, now() from leads where workspace_id = $1 on conflict do nothing`, b.workspace)
}

// stream begins an export and leaves it to the caller to read it.
func (b *bundle) stream(t *testing.T, query string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/api/v1/leads/export"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.secret)
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestExportCSV(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bot := id.Chatbot.Format(b.chatbot)
	meta := `{"a": "x, \"y\"", "n":1}`
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/chatbots/"+bot+"/leads",
		`{"name":"=1+1","email":"a@example.com","phone":"+1-555-0100","source":"@web","metadata":`+meta+`}`))
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"b@example.com","name":"Plain, \"quoted\""}`))
	b.mustCreate(t, b.mustWorkspace(t, tenant.Settings{}), "other@example.com")
	got := b.send(t, b.secret, "GET", "/api/v1/leads/export", "")
	if got.status != 200 || got.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.HasPrefix(got.header.Get("Content-Disposition"), `attachment; filename="leads-`) {
		t.Fatalf("export = %d, %v", got.status, got.header)
	}
	rows, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows[1:] {
		if !strings.HasPrefix(row[0], "lead_") || len(row[7]) != len(lead.TimeFormat) || row[7] != row[8] {
			t.Errorf("row %d = %v, want an id and two times", i, row)
		}
		row[0], row[7], row[8] = "", "", ""
	}
	want := [][]string{
		{"id", "name", "email", "phone", "source", "status", "chatbotId", "createdAt", "updatedAt", "metadata"},
		{"", "'=1+1", "a@example.com", "'+1-555-0100", "'@web", "new", bot, "", "", meta},
		{"", `Plain, "quoted"`, "b@example.com", "", "api", "new", "", "", "", "{}"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := b.send(t, b.secret, "HEAD", "/api/v1/leads/export", ""); got.status != 200 || got.text != "" {
		t.Errorf("HEAD = %d %q, want 200 and no body", got.status, got.text)
	}
	b.send(t, b.secret, "GET", "/api/v1/leads/export?format=xml", "").wantError(t, "xml", 400, "VALIDATION_ERROR")
	b.send(t, b.secret, "GET", "/api/v1/leads/export?limit=1", "").wantError(t, "limit", 400, "VALIDATION_ERROR")
}

// An export of many pages has every lead once, in order, each as the list shows it; the filters pick.
func TestExportNDJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustFill(t, 4500, 10)
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads",
		"{\"email\":\"last@example.com\",\"status\":\"lost\",\"metadata\":{\n\"a\": 1\r\n}}"))
	b.enriched(t)
	list, _ := page[json.RawMessage](t, b, "/api/v1/leads?limit=1")
	got := b.send(t, b.secret, "GET", "/api/v1/leads/export?format=ndjson", "")
	lines := strings.Split(strings.TrimSuffix(got.text, "\n"), "\n")
	if len(lines) != 4501 || got.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("export has %d lines of %s, want 4501", len(lines), got.header.Get("Content-Type"))
	}
	seen := map[string]bool{}
	before := ""
	for _, line := range lines {
		var l shownLead
		if err := json.Unmarshal([]byte(line), &l); err != nil || seen[l.ID] || l.ID <= before {
			t.Fatalf("line %s after %s: %v", line, before, err)
		}
		seen[l.ID], before = true, l.ID
	}
	var last, listed any
	if json.Unmarshal([]byte(lines[4500]), &last) != nil || json.Unmarshal(list[0], &listed) != nil || cmp.Diff(listed,
		last) != "" {
		t.Errorf("the last line is %s, the list shows %s", lines[4500], list[0])
	}
	for query, want := range map[string]int{"status=lost": 1, "q=fill12": 1 + 10 + 100 + 1000,
		"email=fill7@example.com": 1, "status=converted": 0, "deleted=true": 0} {
		got := b.send(t, b.secret, "GET", "/api/v1/leads/export?format=ndjson&"+query, "")
		if n := strings.Count(got.text, "\n"); n != want && !(query == "q=fill12" && n == 111) {
			t.Errorf("export by %s = %d leads, want %d", query, n, want)
		}
	}
}

// Two exports of a workspace run at a time; one that is not read on does not keep lists from being read.
func TestExportsAreFew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustFill(t, 2000, 16_000)
	first, second := b.stream(t, ""), b.stream(t, "?format=ndjson")
	b.send(t, b.secret, "GET", "/api/v1/leads/export", "").wantError(t, "a third one", 429, "RATE_LIMITED")
	for range 3 {
		if got := b.send(t, b.secret, "GET", "/api/v1/leads?limit=1", ""); got.status != 200 {
			t.Errorf("a list meanwhile = %d %s, want 200", got.status, got.text)
		}
	}
	for _, res := range []*http.Response{first, second} {
		lines := 0
		in := bufio.NewReader(res.Body)
		for {
			_, err := in.ReadSlice('\n')
			if err == nil {
				lines++
			} else if err == io.EOF {
				break
			} else if err != bufio.ErrBufferFull {
				t.Fatal(err)
			}
		}
		if lines < 2000 {
			t.Errorf("a slowly read export has %d lines, want all", lines)
		}
	}
	if got := b.send(t, b.secret, "HEAD", "/api/v1/leads/export", ""); got.status != 200 {
		t.Errorf("when they are done = %d, want 200", got.status)
	}
}

// What cannot be read to its end breaks off: a part never looks like the whole.
func TestExportBreaksOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustFill(t, 4000, 16_000)
	res := b.stream(t, "")
	if res.StatusCode != 200 {
		t.Fatalf("export = %d", res.StatusCode)
	}
	b.db.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil {
		t.Errorf("%d bytes of an export whose database went away, and no error", n)
	}
}

// A client that does not read loses its export, and its place goes to the next one.
func TestExportEndsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustFill(t, 2000, 16_000)
	for range 2 {
		b.stream(t, "").Body.Close()
	}
	for begin := time.Now(); ; {
		got := b.send(t, b.secret, "HEAD", "/api/v1/leads/export", "")
		if got.status == 200 {
			return
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("two exports nobody reads still run: %s", fmt.Sprint(got.status))
		}
	}
}
