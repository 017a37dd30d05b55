package api_test

import (
	"fmt"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"strings"
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	b, counter := setupBooks(t)
	other := b.mustWorkspace(t, tenant.Settings{Rate: 1, Burst: 1})
	post := func(body string, path ...string) {
		b.send(t, b.secret, "POST", "/api/v1/"+strings.Join(append(path, "leads"), "/"), body)
	}
	for i := range 3 {
		post(fmt.Sprintf(`{"email":"a%d@example.com"}`, i))
	}
	post(`{"email":"a0@example.com"}`)              // a duplicate that Redis knows
	b.redis.FlushAll(t.Context())                   // and one by Postgres
	post(`{"email":"a1@example.com"}`)              //
	post(`{"email":"not valid"}`)                   // rejected
	post(`{"email":"b@example.com"}`, "chatbots/x") // rejected
	b.send(t, b.secret, "GET", "/api/v1/leads/x", "")
	for range 2 { // the same request twice is one lead, and a mistake each time
		b.keyed(t, b.secret, "/api/v1/leads", "k", `{"email":"k@example.com"}`)
		b.keyed(t, b.secret, "/api/v1/leads", "l", `{"email":"wrong"}`)
	}
	limited := 0
	for range 20 {
		if b.send(t, other.secret, "POST", "/api/v1/leads", `{"email":"o@example.com"}`).status == 429 {
			limited++
		}
	}
	if err := counter.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	today := b.now().UTC()
	_, weak := b.mustKey(t, b.workspace, nil)
	got := b.send(t, weak, "GET", "/api/v1/usage", "")
	var days []struct {
		Day                                     string
		Accepted, Duplicates, Rejected, Limited int
	}
	got.data(t, &days)
	if len(days) != 30 || days[0].Day != today.Format(time.DateOnly) || days[29].Day != today.AddDate(0, 0,
		-29).Format(time.DateOnly) {
		t.Fatalf("GET usage = %s, want the last 30 days", got.text)
	}
	if d := days[0]; d.Accepted != 4 || d.Duplicates != 2 || d.Rejected != 4 || d.Limited != 0 || days[1].Accepted != 0 {
		t.Errorf("today = %+v, want 4 accepted, 2 duplicates, 4 rejected, none limited", d)
	}
	theirs, err := b.db.ReadUsage(t.Context(), other.workspace, today.AddDate(0, 0, -1), today.AddDate(0, 0, 2))
	if err != nil || len(theirs) == 0 || theirs[0].Limited != int64(limited) || limited == 0 || theirs[0].Accepted != 1 {
		t.Errorf("the other workspace = %+v, %v, want %d limited and 1 accepted", theirs, err, limited)
	}
}

func TestUsageSpans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	day := func(n int) string { return b.now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	for n, u := range map[int]tenant.Usage{-1: {Accepted: 1}, -3: {Rejected: 2}, -500: {Limited: 3}} {
		u.WorkspaceID, u.Day = b.workspace, tenant.Day(b.now().AddDate(0, 0, n))
		for _, ws := range []id.UUID{b.workspace, id.New()} {
			b.db.MustExecContext(t.Context(), `insert into usage (workspace_id, day, accepted, duplicates, rejected, limited)
				values ($1, $2, $3, 0, $4, $5)`, ws, u.Day, u.Accepted, u.Rejected, u.Limited)
		}
	}
	for query, want := range map[string]string{
		"?from=" + day(-3) + "&until=" + day(0): fmt.Sprintf(
			`[{"day":"%s","accepted":1,"duplicates":0,"rejected":0,"limited":0,"held":0,"suppressed":0,"appended":0},{"day":"%s","accepted":0,"duplicates":0,"rejected":0,"limited":0,"held":0,"suppressed":0,"appended":0},{"day":"%s","accepted":0,"duplicates":0,"rejected":2,"limited":0,"held":0,"suppressed":0,"appended":0}]`, day(-1), day(-2), day(-3)),
		"?from=" + day(-500) + "&until=" + day(-499): fmt.Sprintf(
			`[{"day":"%s","accepted":0,"duplicates":0,"rejected":0,"limited":3,"held":0,"suppressed":0,"appended":0}]`, day(-500)),
		"?from=" + day(0): fmt.Sprintf(
			`[{"day":"%s","accepted":0,"duplicates":0,"rejected":0,"limited":0,"held":0,"suppressed":0,"appended":0}]`, day(0)),
		"?from=" + day(1):                   `[]`,
		"?from=9999-12-30&until=9999-12-31": `[]`,
	} {
		t.Run(query, func(t *testing.T) {
			if got := b.send(t, b.secret, "GET", "/api/v1/usage"+query, ""); got.text != `{"success":true,"data":`+want+
				`,"nextCursor":null}`+"\n" {
				t.Errorf("GET usage%s = %d %s, want %s", query, got.status, got.text, want)
			}
		})
	}
	for query, field := range map[string]string{
		"?from=x": "from", "?until=2026-13-01": "until", "?from=2026-01-15T00:00:00Z": "from", "?from=" + day(-400): "from",
		"?from=2026-02-02&until=2026-02-02": "until",
		"?from=0001-01-01":                  "from", "?from=" + day(2): "from", "?from=9999-12-31": "from",
		"?until=1969-12-31": "until",
		"?day=2026-01-01":   "day",
	} {
		t.Run(query, func(t *testing.T) {
			got := b.send(t, b.secret, "GET", "/api/v1/usage"+query, "")
			if got.wantError(t, query, 400, "VALIDATION_ERROR"); got.body.Details.Field != field {
				t.Errorf("%s: field %q, want %q", query, got.body.Details.Field, field)
			}
		})
	}
}
