package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// shownReplay is a replay as a client reads it.
type shownReplay struct {
	ID, State                                  string
	EndpointID, EventType, LeadID, From, Until *string
	States                                     []string
	Rate, Resent                               int
	Total                                      *int
	Progress                                   *float64
	CreatedAt, UpdatedAt                       string
	FinishedAt                                 *string
}

func (b *bundle) replay(t *testing.T, method, path, body string, status int) (r shownReplay) {
	t.Helper()
	got := b.mustSend(t, method, path, body, status)
	if err := json.Unmarshal(got.body.Data, &r); err != nil {
		t.Fatalf("%s %s = %s, want a replay", method, path, got.text)
	}
	return r
}

func TestReplayFromBeginningToEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustWebhooks(t, "")
	for i := range 3 {
		b.mustCreate(t, b.owner, fmt.Sprintf("a%d@example.com", i))
	}
	b.db.MustExecContext(t.Context(), `update deliveries set state = 'exhausted', next_at = null`)
	got := b.mustSend(t, "POST", "/api/v1/replays", `{"rate":null}`, 201)
	made := mustID(t, got)
	path := "/api/v1/replays/" + made
	if l := got.header.Get("Location"); l != path {
		t.Errorf("Location = %q, want %q", l, path)
	}
	for _, want := range []string{`"state":"running"`, `"states":["exhausted","held"]`, `"endpointId":null`, `"from":null`,
		`"rate":100`, `"total":null`, `"resent":0`, `"progress":null`, `"finishedAt":null`} {
		if !strings.Contains(got.text, want) {
			t.Errorf("POST = %s, want %s in it", got.text, want)
		}
	}
	if n := b.queued(t, "replay"); n != 1 {
		t.Errorf("tasks for the replay = %d, want one", n)
	}
	u, _ := id.Replay.Parse(made)
	b.db.MustExecContext(t.Context(), `update replays set total = 4, resent = 1 where id = $1`, u)
	if r := b.replay(t, "GET", path, "", 200); r.Progress == nil || *r.Progress != 0.25 || r.Resent != 1 || *r.Total != 4 {
		t.Errorf("replay under way = %+v, want a quarter done", r)
	}
	cancelled := b.replay(t, "POST", path+"/cancel", "", 200)
	if cancelled.State != "cancelled" || cancelled.FinishedAt == nil {
		t.Errorf("cancel = %+v, want it cancelled", cancelled)
	}
	b.forward(time.Hour)
	if again := b.replay(t, "POST", path+"/cancel", "", 200); *again.FinishedAt != *cancelled.FinishedAt {
		t.Errorf("cancelled again = %+v, want the same as the first time", again)
	}

	path = "/api/v1/replays/" + mustID(t, b.mustSend(t, "POST", "/api/v1/replays", `{"states":["exhausted"]}`, 201))
	u, _ = id.Replay.Parse(path[len("/api/v1/replays/"):])
	for done := false; !done; {
		round, err := b.db.RunReplay(t.Context(), b.workspace, u, 100)
		if err != nil {
			t.Fatal(err)
		}
		if done = round.Done; round.Wait > 0 {
			time.Sleep(round.Wait)
		}
	}
	if r := b.replay(t, "GET", path, "", 200); r.State != "done" || r.Resent != 3 || *r.Total != 3 || *r.Progress != 1 ||
		r.FinishedAt == nil {
		t.Errorf("replay at its end = %+v, want 3 of 3 resent", r)
	}
	b.send(t, b.secret, "POST", path+"/cancel", "").wantError(t, "cancel of what is done", 409, "CONFLICT")
	if pending, _ := page[shownDelivery](t, b, "/api/v1/deliveries?state=pending"); len(pending) != 3 {
		t.Errorf("pending = %d, want all 3", len(pending))
	}
}

func TestReplayShowsItsFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	endpoint, lead := b.mustWebhooks(t, "")[0], b.mustCreate(t, b.owner, "a@example.com")
	got := b.mustSend(t, "POST", "/api/v1/replays", `{"endpointId":"`+endpoint+`","states":["held","delivered","held"],"eventType":"lead.created","leadId":"`+lead+`",
		"from":"2026-01-15T10:30:00+01:00","until":"2026-01-16T00:00:00Z","rate":1000}`, 201)
	want := `"endpointId":"` + endpoint + `","states":["delivered","held"],"eventType":"lead.created","leadId":"` + lead +
		`","from":"2026-01-15T09:30:00.000Z","until":"2026-01-16T00:00:00.000Z","rate":1000,`
	if !strings.Contains(got.text, want) {
		t.Errorf("POST = %s, want %s in it", got.text, want)
	}
	if read := b.mustSend(t, "GET", got.header.Get("Location"), "", 200); !strings.Contains(read.text, want) {
		t.Errorf("GET = %s, want %s in it", read.text, want)
	}
}

func TestReplaysPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for range webhook.MaxReplays {
		want = append(want, mustID(t, b.mustSend(t, "POST", "/api/v1/replays", `{}`, 201)))
	}
	b.send(t, b.secret, "POST", "/api/v1/replays", `{}`).wantError(t, "one more", 409, "CONFLICT")
	b.mustSend(t, "POST", "/api/v1/replays/"+want[0]+"/cancel", "", 200)
	want = append(want, mustID(t, b.mustSend(t, "POST", "/api/v1/replays", `{}`, 201)))
	slices.Reverse(want)
	for _, limit := range []string{"1", "4", "11", "200"} {
		all, empty := pages[shownReplay](t, b, "/api/v1/replays", map[string][]string{"limit": {limit}})
		var got []string
		for _, r := range all {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) || empty != 0 {
			t.Errorf("replays by %s = %v with %d empty pages, want %v", limit, got, empty, want)
		}
	}
}

func TestReplayInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, pointers := range map[string][]string{
		`[]`: {""}, `{"state":["held"]}`: {"/state"},
		`{"states":[]}`: {"/states"}, `{"states":"held"}`: {"/states"},
		`{"states":["held","pending","cancelled","dead",1]}`: {"/states/1", "/states/2", "/states"},
		`{"states":["held","pending"]}`:                      {"/states/1"},
		`{"states":["cancelled","dead",1]}`: {"/states/0", "/states/1",
			"/states/2"},
		`{"eventType":"lead.*"}`: {"/eventType"}, `{"eventType":"webhook.test"}`: {"/eventType"},
		`{"endpointId":"x","leadId":5}`:                                            {"/endpointId", "/leadId"},
		`{"from":"0000-01-01T00:00:00+23:59","until":"9999-12-31T23:59:59-23:59"}`: {"/from", "/until"},
		`{"from":"0001-01-01T00:00:00Z"}`:                                          {"/from"},
		`{"from":"yesterday","until":5}`:                                           {"/from", "/until"},
		`{"from":"2026-01-15T10:30:00Z","until":"2026-01-15T10:30:00Z"}`:           {"/until"},
		`{"rate":0}`: {"/rate"}, `{"rate":1001}`: {"/rate"}, `{"rate":"100"}`: {"/rate"}, `{"rate":1.5}`: {"/rate"},
	} {
		t.Run(body, func(t *testing.T) {
			got := b.send(t, b.secret, "POST", "/api/v1/replays", body)
			got.wantError(t, body, 400, "VALIDATION_ERROR")
			var at []string
			for _, e := range got.body.Details.Errors {
				at = append(at, e.Pointer)
			}
			if diff := cmp.Diff(pointers, at); diff != "" {
				t.Errorf("%s: pointers (-want +got):\n%s", body, diff)
			}
		})
	}
	endpoint := b.mustWebhooks(t, "")[0]
	body := `{"endpointId":"` + endpoint + `"}`
	b.mustSend(t, "PATCH", "/api/v1/webhooks/"+endpoint, `{"enabled":false}`, 200)
	b.send(t, b.secret, "POST", "/api/v1/replays", body).wantError(t, "replay to a disabled endpoint", 409, "CONFLICT")
	b.mustSend(t, "DELETE", "/api/v1/webhooks/"+endpoint, "", 204)
	b.send(t, b.secret, "POST", "/api/v1/replays", body).wantError(t, "replay to a deleted endpoint", 409, "CONFLICT")
	if all, _ := page[shownReplay](t, b, "/api/v1/replays"); len(all) != 0 {
		t.Errorf("replays = %v, want none of those refused", all)
	}
}
