package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// statistics are the scenarios in which Postgres' statistics are not what its tables are.
func statistics() []scenario {
	return []scenario{
		{name: "stale-statistics", what: "a tenant's endpoints are disabled, deleted and enabled, its backlog is delivered, and its " +
			"leads are replayed and erased, when Postgres believes that it has nothing",
			stale: true, inject: workOnStale},
	}
}

const (
	staleChanges = 7               // of one lead, each an event
	staleFactor  = 4               // how much longer something may take for the tenant that Postgres does not know,
	staleMargin  = 2 * time.Second // beside this
)

// staleTenant is a tenant with a backlog, and how long everything took for it.
type staleTenant struct {
	loadgen.Tenant
	name       string
	kept, gone webhook.Endpoint // has its deliveries held, and then sent; is deleted
	lead       string           // that was changed
	took       map[string]time.Duration
}

// workOnStale does the same with two tenants of one size: with one that Postgres knows, and with one that came later,
// which must not take much longer.
func workOnStale(ctx context.Context, run *runner) error {
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return err
	}
	defer sink.Close()
	worker := run.Workers()[0]
	worker.Kill() // so that there is a backlog
	known, err := run.newStaleTenant(ctx, sink, "known")
	if err != nil {
		return err
	}
	if err := run.freezeStatistics(ctx); err != nil {
		return err
	}
	grown, err := run.newStaleTenant(ctx, sink, "grown")
	if err != nil {
		return err
	}
	both := []*staleTenant{known, grown}
	err = run.during(func() error { return run.workOnBoth(ctx, both) })
	for _, op := range []string{"disable", "delete", "settle", "enable", "deliver", "replay", "erase"} {
		if grown.took[op] == 0 {
			break // it came to its end before
		}
		fmt.Fprintf(&run.notes, "  %s: %v where Postgres knows, %v where it does not\n", op, ms(known.took[op]),
			ms(grown.took[op]))
		if most := staleFactor*known.took[op] + staleMargin; grown.took[op] > most {
			err = errors.Join(err, fmt.Errorf("%s took %v, want %v at most", op, ms(grown.took[op]), ms(most)))
		}
	}
	if err == nil {
		err = run.checkStale(ctx, both, sink)
	}
	return err
}

// freezeStatistics has Postgres look at its tables now, and never again.
func (run *runner) freezeStatistics(ctx context.Context) error {
	const tables = `select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`
	var all []string
	if err := run.db.SelectContext(ctx, &all, tables); err != nil {
		return fmt.Errorf("freeze statistics: %w", err)
	}
	for _, table := range all {
		for _, q := range []string{"alter table " + table + " set (autovacuum_enabled = off)", "analyze " + table} {
			if _, err := run.db.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("freeze statistics: %w", err)
			}
		}
	}
	return nil
}

// newStaleTenant makes a tenant with leads whose deliveries wait for two endpoints, and a lead that was changed.
func (run *runner) newStaleTenant(ctx context.Context, sink *loadgen.Sink, name string) (*staleTenant, error) {
	t := &staleTenant{name: name, took: map[string]time.Duration{}}
	var err error
	if t.Tenant, err = loadgen.NewTenant(ctx, run.db, name); err != nil {
		return nil, err
	}
	for path, e := range map[string]*webhook.Endpoint{"/kept": &t.kept, "/gone": &t.gone} {
		want := webhook.Endpoint{EventTypes: []string{webhook.LeadCreated, webhook.LeadUpdated}}
		if *e, err = sink.Subscribe(ctx, run.db, t.Workspace, "/"+name+path, want); err != nil {
			return nil, err
		}
	}
	note := func(n int, l *lead.Lead) {
		if n == run.backlog/2 {
			t.lead = id.Lead.Format(l.ID)
		}
	}
	fill := loadgen.Fill{Workspace: t.Workspace, Run: name, Leads: run.backlog, Vary: note}
	if err := fill.Into(ctx, run.db); err != nil {
		return nil, err
	}
	for n := range staleChanges {
		if err := t.ask(ctx, run, "change", http.MethodPatch, "/leads/"+t.lead, fmt.Sprintf(`{"name":"erase me %d"}`, n), nil); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// workOnBoth does one thing after the other with each tenant.
func (run *runner) workOnBoth(ctx context.Context, both []*staleTenant) error {
	ask := func(op string, do func(t *staleTenant) error) error {
		for _, t := range both {
			if err := do(t); err != nil {
				return fmt.Errorf("%s of the tenant that is %s: %w", op, t.name, err)
			}
		}
		return nil
	}
	all := int64(run.backlog + staleChanges)
	steps := []func() error{
		func() error {
			return ask("disable", func(t *staleTenant) error {
				return t.ask(ctx, run, "disable", http.MethodPatch, t.path(t.kept), `{"enabled":false}`, nil)
			})
		},
		func() error {
			return ask("delete", func(t *staleTenant) error {
				return t.ask(ctx, run, "delete", http.MethodDelete, t.path(t.gone), "", nil)
			})
		},
		func() error { return run.Workers()[0].Start(ctx) },
		func() error {
			return run.awaitEach(ctx, both, "settle", func(t *staleTenant, states map[string]int64) bool {
				return states["kept held"] == all && states["gone cancelled"] == all
			})
		},
		func() error {
			return ask("enable", func(t *staleTenant) error {
				return t.ask(ctx, run, "enable", http.MethodPatch, t.path(t.kept), `{"enabled":true,"deliverHeld":true}`, nil)
			})
		},
		func() error {
			return run.awaitEach(ctx, both, "deliver", func(t *staleTenant, states map[string]int64) bool {
				return states["kept delivered"] == all
			})
		},
		func() error { return ask("replay", func(t *staleTenant) error { return t.replay(ctx, run) }) },
		func() error {
			return ask("erase", func(t *staleTenant) error {
				return t.ask(ctx, run, "erase", http.MethodDelete, "/leads/"+t.lead+"?erase=true", "", nil)
			})
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *staleTenant) path(e webhook.Endpoint) string { return "/webhooks/" + id.Endpoint.Format(e.ID) }

// ask sends a request, which must succeed, and notes how long op took.
func (t *staleTenant) ask(ctx context.Context, run *runner, op, method, path, body string, answer any) error {
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, method, run.URL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.Key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	t.took[op] = time.Since(began)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("answered %d after %v: %s", res.StatusCode, ms(t.took[op]), bytes.TrimSpace(text))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// replay sends what is known of the changed lead once more.
func (t *staleTenant) replay(ctx context.Context, run *runner) error {
	began := time.Now()
	var shown struct {
		Data struct {
			ID, State string
			Resent    int
		}
	}
	body := fmt.Sprintf(`{"leadId":%q,"states":["delivered"],"rate":1000}`, t.lead)
	if err := t.ask(ctx, run, "replay", http.MethodPost, "/replays", body, &shown); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	for shown.Data.State == string(webhook.ReplayRunning) {
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("it is %s after %v", shown.Data.State, ms(time.Since(began)))
		}
		if err := t.ask(ctx, run, "replay", http.MethodGet, "/replays/"+shown.Data.ID, "", &shown); err != nil {
			return err
		}
	}
	t.took["replay"] = time.Since(began)
	if want := staleChanges + 1; shown.Data.Resent != want {
		return fmt.Errorf("it resent %d deliveries, want %d", shown.Data.Resent, want)
	}
	return nil
}

// awaitEach waits until the deliveries of each tenant are so, and notes how long that took.
func (run *runner) awaitEach(ctx context.Context, both []*staleTenant, op string,
	so func(*staleTenant, map[string]int64) bool) error {
	ctx, cancel := context.WithTimeout(ctx, takeover+time.Duration(run.backlog)*4*time.Millisecond)
	defer cancel()
	began := time.Now()
	var g errgroup.Group
	for _, t := range both {
		g.Go(func() error {
			for {
				states, err := run.statesOf(context.WithoutCancel(ctx), t)
				if err != nil {
					return err
				}
				if so(t, states) {
					break
				}
				if !pause(ctx, 200*time.Millisecond) {
					return fmt.Errorf("%s of the tenant that is %s came to no end: its deliveries are %v", op, t.name, states)
				}
			}
			t.took[op] = time.Since(began)
			return nil
		})
	}
	return g.Wait()
}

// statesOf counts a tenant's deliveries by endpoint and state: "kept held".
func (run *runner) statesOf(ctx context.Context, t *staleTenant) (map[string]int64, error) {
	var rows []struct {
		Endpoint id.UUID `db:"endpoint_id"`
		State    string  `db:"state"`
		Count    int64   `db:"count"`
	}
	const q = `select endpoint_id, state, count(*) from deliveries where workspace_id = $1 group by 1, 2`
	if err := run.db.SelectContext(ctx, &rows, q, t.Workspace); err != nil {
		return nil, fmt.Errorf("count deliveries: %w", err)
	}
	states := map[string]int64{}
	for _, r := range rows {
		name := "gone "
		if r.Endpoint == t.kept.ID {
			name = "kept "
		}
		states[name+r.State] = r.Count
	}
	return states, nil
}

// checkStale checks that everything was sent, and that nothing is left of the lead that was erased.
func (run *runner) checkStale(ctx context.Context, both []*staleTenant, sink *loadgen.Sink) error {
	arrived := sink.Count()
	if want := len(both) * (run.backlog + staleChanges); arrived.Distinct != want {
		return fmt.Errorf("%d deliveries arrived, want %d", arrived.Distinct, want)
	}
	for _, t := range both {
		var leads, told int
		const q = `
select count(*), (select count(*) from events where workspace_id = $1 and data::text like '%erase me%') from leads where workspace_id = $1`
		if err := run.db.QueryRowContext(ctx, q, t.Workspace).Scan(&leads, &told); err != nil {
			return fmt.Errorf("count leads: %w", err)
		}
		if leads != run.backlog-1 || told != 0 {
			return fmt.Errorf("the tenant that is %s has %d leads and %d events of the erased one, want %d and none", t.name, leads,
				told, run.backlog-1)
		}
	}
	return nil
}
