package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// A worker tells the operator's hook what another one left not told, and neither its URL nor its secret is in the log.
func TestOperatorHook(t *testing.T) {
	t.Parallel()
	type request struct {
		head http.Header
		body []byte
	}
	got := make(chan request, 10)
	operator := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header, body}
	}))
	defer operator.Close()
	database, secret := pgtest.URL(t), webhook.NewSecret()
	db, err := pg.Open(database, pg.Options{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := pgtest.Endpoint(t, db, pgtest.Workspace(t, db).ID)
	if _, _, err := db.DisableGone(t.Context(), e.WorkspaceID, e.ID, e.URL); err != nil {
		t.Fatal(err)
	}
	w := start(t, database, redistest.Start(t).URL(), "LEADGATE_OPERATOR_HOOK="+operator.URL+"/hunter2",
		"LEADGATE_OPERATOR_HOOK_SECRET="+secret)
	select {
	case r := <-got:
		library, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := library.Verify(r.body, r.head); err != nil || !strings.Contains(string(r.body), `"endpointId":"`+
			id.Endpoint.Format(e.ID)+`"`) {
			t.Errorf("Verify(%s) = %v, want a signed notice of the endpoint", r.body, err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the operator's hook was told nothing")
	}
	testwait.Until(t, "no notice is due", func() bool {
		due, err := db.DueNotices(t.Context(), 1)
		return err == nil && len(due) == 0
	})
	w.mustStop(t)
	if log := w.out.String(); strings.Contains(log, "hunter2") || strings.Contains(log, secret) || !strings.Contains(log,
		`"msg":"notice sent to the operator hook"`) {
		t.Errorf("log = %s, want that the operator was told, without URL and secret", log)
	}
}
