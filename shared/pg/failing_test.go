package pg_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

func TestFailingEndpoints(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	d.exec(`update deliveries set next_at = $1`, d.now)
	since, later := d.now.Add(-time.Hour), d.now.Add(time.Minute)
	for _, c := range []struct {
		what, set string
		want      *pg.FailingEndpoint
	}{
		{"works", ``, nil},
		{"two failures", `failures = 2, failing_since = $1`, nil},
		{"three failures", `failures = 3, failing_since = $1, last_error = 'status: 503'`,
			&pg.FailingEndpoint{Failures: 3, LastError: "status: 503", NextAt: &d.now}},
		{"breaker open", `failures = 5, failing_since = $1, probe_at = $2`,
			&pg.FailingEndpoint{Failures: 5, Open: true, NextAt: &later}},
		{"disabled for it", `enabled = false, failing_since = $1, disabled_at = $2, disabled_reason = 'failing'`,
			&pg.FailingEndpoint{Disabled: &webhook.Disabled{At: later, Reason: "failing"}, NextAt: &d.now}},
		{"gone", `enabled = false, disabled_at = $1, disabled_reason = 'gone'`,
			&pg.FailingEndpoint{Disabled: &webhook.Disabled{At: since, Reason: "gone"}, NextAt: &d.now}},
		{"paused by its owner", `enabled = false, failures = 9, failing_since = $1, disabled_reason = 'owner'`, nil},
		{"deleted", `deleted_at = $1, failures = 9, failing_since = $1`, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			d.exec(`
update endpoints set enabled = true, deleted_at = null, failing_since = null, failures = 0, probe_at = null,
       last_error = null, disabled_at = null, disabled_reason = null`)
			if c.set != "" {
				d.exec(`update endpoints set `+c.set+` where cast($1 as timestamptz) < cast($2 as timestamptz)`, since, later)
			}
			all, err := d.db.FailingEndpoints(t.Context(), 200)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == nil {
				if len(all) > 0 {
					t.Errorf("FailingEndpoints = %+v, want none", all)
				}
				return
			}
			if len(all) != 1 {
				t.Fatalf("FailingEndpoints = %+v, want one", all)
			}
			got := all[0]
			if !got.Since.Equal(since) || got.Waiting != 2 || got.URL != d.endpoint.URL || got.WorkspaceName == "" ||
				got.EndpointRef != (pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID}) {
				t.Errorf("FailingEndpoints = %+v, want the desk's since %s, with two that wait", got, since)
			}
			if got.Failures != c.want.Failures || got.LastError != c.want.LastError || got.Open != c.want.Open ||
				!got.NextAt.Equal(*c.want.NextAt) || (got.Disabled == nil) != (c.want.Disabled == nil) ||
				got.Disabled != nil && (!got.Disabled.At.Equal(c.want.Disabled.At) || got.Disabled.Reason != c.want.Disabled.Reason) {
				t.Errorf("FailingEndpoints = %+v, want %+v", got, c.want)
			}
		})
	}
}

// operatorCases are lists of the administrator, with many endpoints of which few fail.
func (s *stale) operatorCases() []staleCase {
	// There are 5; another case may have left one, of which up to 1,000 deliveries that wait are counted.
	return []staleCase{{"list failing endpoints", 100, func() {
		other := pgtest.Workspace(s.T, s.silent).ID
		one := pgtest.Endpoint(s.T, s.silent, other)
		s.exec(`
insert into endpoints (workspace_id, id, url, description, event_types, headers, payload, max_in_flight, timeout_s, secret,
       enabled, created_at, updated_at, failures, failing_since)
select workspace_id, gen_random_uuid(), url, description, event_types, headers, payload, max_in_flight, timeout_s, secret,
       enabled, created_at, updated_at, case when n <= 5 then 3 else 0 end, case when n <= 5 then now() end
  from endpoints cross join generate_series(1, 20000) n where id = $1`, one.ID)
	}, func(ctx context.Context, db *pg.DB) error {
		all, err := db.FailingEndpoints(ctx, 200)
		return wantCount(err, len(all)/5, 1)
	}}, {"volumes of workspaces", 1, nil, func(ctx context.Context, db *pg.DB) error {
		all, err := db.Volumes(ctx, []id.UUID{s.ws}, time.Now())
		if all[s.ws].LastLeadAt == nil {
			return errors.New("no lead was found")
		}
		return err
	}}}
}
