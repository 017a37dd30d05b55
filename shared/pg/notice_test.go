package pg_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// mustExec changes what no method changes.
func (d *desk) mustExec(q string, args ...any) {
	d.Helper()
	pgtest.Exec(d, d.db, q, args...)
}

// told returns the data of the events that endpoint e was told.
func (d *desk) told(e webhook.Endpoint, kind string) (all []map[string]any) {
	d.Helper()
	var texts []string
	err := d.db.SelectContext(d.Context(), &texts, `
select v.data from deliveries d join events v on v.workspace_id = d.workspace_id and v.id = d.event_id
 where d.workspace_id = $1 and d.endpoint_id = $2 and v.type = $3 order by v.id`, e.WorkspaceID, e.ID, kind)
	if err != nil {
		d.Fatal(err)
	}
	for _, text := range texts {
		var data map[string]any
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			d.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// inParallel runs f n times at once.
func inParallel(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

func TestNotifyFailingOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.endpoint = d.mustEndpoint(true, "endpoint.*", "lead.created")
	all, named, neither := d.mustEndpoint(true, "endpoint.*"), d.mustEndpoint(true, webhook.EndpointFailing),
		d.mustEndpoint(true, webhook.EndpointDisabled, "lead.*")
	resting, off := d.mustEndpoint(true, "endpoint.*"), d.mustEndpoint(false, "endpoint.*")
	foreign := newDesk(t, d.db).mustEndpoint(true, "endpoint.*")
	d.mustExec(`update endpoints set chatbot_ids = array[$2::uuid] where id = $1`, all.ID, id.New())
	d.mustExec(`update endpoints set probe_at = now() where id = $1`, resting.ID)
	since := d.now.Add(-25 * time.Hour).Truncate(time.Millisecond)
	d.mustExec(
		`update endpoints set url = 'https://me:hunter2@hooks.example.com:8443/in/hunter2?key=hunter2', failures = 12, probes = 3, failing_since = $2, last_error = 'status: 503' where id = $1`, d.endpoint.ID, since)
	d.mustLeads(2)

	var mu sync.Mutex
	var wake []pg.EndpointRef
	inParallel(5, func() {
		refs, err := d.db.NotifyFailing(t.Context(), d.ws, d.endpoint.ID, webhook.NotifyAfter)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		wake = append(wake, refs...)
	})
	want := []map[string]any{{"endpointId": id.Endpoint.Format(d.endpoint.ID), "url": "https://hooks.example.com:8443",
		"description": "", "reason": "failing",
		"failures": 12.0, "failingSince": since.Format(lead.TimeFormat), "lastError": "status: 503", "waiting": 2.0,
		"disabledAt": nil}}
	for name, e := range map[string]webhook.Endpoint{"by group": all, "by name": named, "with an open breaker": resting,
		"disabled": off} {
		if diff := cmp.Diff(want, d.told(e, webhook.EndpointFailing)); diff != "" {
			t.Errorf("told to the endpoint subscribed %s (-want +got):\n%s", name, diff)
		}
	}
	for name, e := range map[string]webhook.Endpoint{"itself": d.endpoint, "who does not subscribe": neither,
		"another workspace": foreign} {
		if got := d.told(e, webhook.EndpointFailing); len(got) != 0 {
			t.Errorf("told to %s: %v, want nothing", name, got)
		}
	}
	if len(wake) != 2 || !slices.Contains(wake, pg.EndpointRef{Workspace: d.ws, Endpoint: all.ID}) ||
		!slices.Contains(wake, pg.EndpointRef{Workspace: d.ws, Endpoint: named.ID}) {
		t.Errorf("wake = %v, want %v and %v once", wake, all.ID, named.ID)
	}
}

func TestDisableEndpointOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	other := d.mustEndpoint(true, "endpoint.*")
	d.mustExec(`update endpoints set failures = 1, last_error = 'status: 410', probe_at = now() where id = $1`,
		d.endpoint.ID)

	var mu sync.Mutex
	disabled, wake := 0, 0
	inParallel(5, func() {
		did, refs, err := d.db.DisableGone(t.Context(), d.ws, d.endpoint.ID, d.endpoint.URL)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		wake += len(refs)
		if did {
			disabled++
		}
	})
	got := d.told(other, webhook.EndpointDisabled)
	if disabled != 1 || wake != 1 || len(got) != 1 {
		t.Fatalf("disabled %d times, woke %d, told %d times, want once each", disabled, wake, len(got))
	}
	e, err := d.db.GetEndpoint(t.Context(), d.ws, d.endpoint.ID)
	if err != nil {
		t.Fatal(err)
	}
	if e.Enabled || e.Disabled == nil || e.Disabled.Reason != webhook.DisabledGone || e.Health.Open() {
		t.Errorf("GetEndpoint = %+v, want it disabled, gone, with a closed breaker", e)
	}
	if got[0]["reason"] != webhook.DisabledGone || got[0]["lastError"] != "status: 410" ||
		got[0]["disabledAt"] != e.Disabled.At.Format(lead.TimeFormat) {
		t.Errorf("told %v, want that it is gone, why, and since when", got[0])
	}
	if refs, err := d.db.NotifyFailing(t.Context(), d.ws, d.endpoint.ID, webhook.NotifyAfter); err != nil ||
		len(refs) != 0 || len(d.told(other, webhook.EndpointFailing)) != 0 {
		t.Errorf("NotifyFailing of a disabled endpoint = %v, %v, want nothing told", refs, err)
	}
}

// A drain may judge by what it saw before the owner mended the endpoint, and by one delivery that failed long ago.
func TestOnlyWhatFailsIsDisabled(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	d := newDesk(t, pgtest.New(t))
	for name, c := range map[string]struct {
		health string
		url    string
		want   bool
	}{
		"for days, probes too":      {"failures = 30, probes = 3, failing_since = now() - interval '6 days'", "", true},
		"for hours":                 {"failures = 30, probes = 3, failing_since = now() - interval '6 hours'", "", false},
		"one delivery, and then":    {"failures = 13, probes = 0, failing_since = now() - interval '6 days'", "", false},
		"mended":                    {"failures = 0, probes = 0, failing_since = null", "", false},
		"gone":                      {"failures = 1", d.endpoint.URL, true},
		"gone, and moved meanwhile": {"failures = 1", "https://hooks.example.com/old", false},
	} {
		t.Run(name, func(t *testing.T) {
			e := d.mustEndpoint(true)
			d.mustExec(`update endpoints set drain_token = gen_random_uuid(), drain_until = now() + interval '1 minute', `+
				c.health+` where id = $1`, e.ID)
			var did bool
			var err error
			if c.url == "" {
				did, _, err = d.db.DisableFailing(t.Context(), d.ws, e.ID, 5*24*time.Hour)
			} else {
				did, _, err = d.db.DisableGone(t.Context(), d.ws, e.ID, c.url)
			}
			if err != nil || did != c.want {
				t.Errorf("%s: disabled = %v, %v, want %v", name, did, err, c.want)
			}
			var leased bool
			if err := d.db.GetContext(t.Context(), &leased, `select drain_token is not null from endpoints where id = $1`,
				e.ID); err != nil || leased == c.want {
				t.Errorf("%s: leased = %v, %v, want the lease only where it goes on", name, leased, err)
			}
		})
	}
}

func TestNoticesAreOwedUntilSettled(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	due := func() []pg.Notice {
		t.Helper()
		all, err := d.db.DueNotices(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	settle := func(n pg.Notice) {
		t.Helper()
		if err := d.db.AckNotice(t.Context(), n.Workspace, n.Endpoint, n.Event); err != nil {
			t.Fatal(err)
		}
	}
	d.mustExec(`update endpoints set failures = 12, probes = 3, failing_since = now() - interval '6 days' where id = $1`,
		d.endpoint.ID)
	if _, err := d.db.NotifyFailing(t.Context(), d.ws, d.endpoint.ID, webhook.NotifyAfter); err != nil {
		t.Fatal(err)
	}
	failing := due()
	if len(failing) != 1 || failing[0].Type != webhook.EndpointFailing || failing[0].Workspace != d.ws ||
		failing[0].Endpoint != d.endpoint.ID {
		t.Fatalf("DueNotices = %+v, want that the endpoint fails", failing)
	}
	if _, _, err := d.db.DisableFailing(t.Context(), d.ws, d.endpoint.ID, 5*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	settle(failing[0]) // told late: what came meanwhile stays owed
	disabled := due()
	if len(disabled) != 1 || disabled[0].Type != webhook.EndpointDisabled {
		t.Fatalf("DueNotices = %+v, want that the endpoint is disabled", disabled)
	}
	settle(pg.Notice{Workspace: id.New(), Endpoint: disabled[0].Endpoint, Event: disabled[0].Event})
	if got := due(); len(got) != 1 {
		t.Errorf("DueNotices = %+v after another workspace's settled, want it still", got)
	}
	settle(disabled[0])
	if got := due(); len(got) != 0 {
		t.Errorf("DueNotices = %+v after it was settled, want none", got)
	}
}
