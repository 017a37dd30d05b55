package pg_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

func (s *stale) cases() []staleCase {
	return slices.Concat(s.endpointCases(), s.drainCases(), s.replayCases(), s.listCases(), s.leadCases(),
		s.submissionCases(), s.requestCases(), s.upkeepCases(), s.sessionCases(), s.backlogCases(), s.operatorCases(),
		s.deletionCases())
}

// backlogCases are some of the others, with all deliveries of the workspace pending.
func (s *stale) backlogCases() (all []staleCase) {
	for _, c := range slices.Concat(s.drainCases()[:1], s.listCases()) {
		prepare := c.prepare
		c.prepare = func() {
			s.exec(`update deliveries set state = 'pending', next_at = created_at where workspace_id = $1`, s.ws)
			if prepare != nil {
				prepare()
			}
		}
		if c.name += " of a backlog"; backlogs[c.name] {
			all = append(all, c)
		}
	}
	return all
}

var backlogs = map[string]bool{"lease deliveries of a backlog": true, "list pending deliveries of a backlog": true,
	"timeline of a lead of a backlog": true}

func (s *stale) endpointCases() []staleCase {
	enable := func(enabled bool) func() {
		return func() {
			s.exec(`update deliveries set state = 'pending', next_at = now() where workspace_id = $1 and state = 'held'`, s.ws)
			s.exec(`update endpoints set enabled = $3 where workspace_id = $1 and id = $2`, s.ws, s.endpoint.ID, enabled)
		}
	}
	var deleted webhook.Endpoint
	return []staleCase{
		{"disable an endpoint", staleLeads / 20, enable(true), func(ctx context.Context, db *pg.DB) error {
			change := func(e *webhook.Endpoint) error { e.Enabled = false; return nil }
			_, err := db.UpdateEndpoint(ctx, s.ws, s.endpoint.ID, time.Now(), change, nil)
			return err
		}},
		{"hold what waits for a disabled endpoint", 20, enable(false), func(ctx context.Context, db *pg.DB) error {
			n, err := db.HoldOrCancelPending(ctx, 20)
			return wantCount(err, n, 20)
		}},
		{"delete an endpoint while others are deleted", 5, func() {
			enable(true)()
			for range 5 {
				s.deletedEndpoint("1 hour")
			}
			deleted = pgtest.Endpoint(s.T, s.silent, s.ws)
		}, func(ctx context.Context, db *pg.DB) error { return db.DeleteEndpoint(ctx, s.ws, deleted.ID) }},
		{"purge old endpoints", 5, func() {
			for range 5 {
				s.deletedEndpoint("1 year")
			}
		}, func(ctx context.Context, db *pg.DB) error {
			n, _, err := db.DeleteOld(ctx, time.Hour)
			return wantCount(err, n, 5)
		}},
		{"notices that are due", 1, func() {
			event := s.ids(`select id from events where workspace_id = $1 order by id desc limit 1`, s.ws)[0]
			s.exec(`update endpoints set notice_event = $3 where workspace_id = $1 and id = $2`, s.ws, s.endpoint.ID, event)
		}, func(ctx context.Context, db *pg.DB) error {
			all, err := db.DueNotices(ctx, 10)
			return wantCount(err, len(all), 1)
		}},
	}
}

// deletedEndpoint makes an endpoint that was deleted so long ago.
func (s *stale) deletedEndpoint(age string) {
	s.Helper()
	e := pgtest.Endpoint(s.T, s.silent, s.ws)
	s.exec(`
update endpoints set deleted_at = now() - cast($3 as interval)
 where workspace_id = $1 and id = $2`, s.ws, e.ID, age)
}

func (s *stale) drainCases() []staleCase {
	var leased pg.LeasedBatch
	token := id.New()
	lease := func(ctx context.Context, db *pg.DB) (err error) {
		r := pg.LeaseRequest{Workspace: s.ws, Endpoint: s.endpoint.ID, Token: token, Lease: time.Minute, Limit: 20}
		leased, err = db.LeaseDue(ctx, r)
		if err == nil {
			last := &leased.Due[len(leased.Due)-1]
			r.After = pg.DueKey{NextAt: last.NextAt, ID: last.DeliveryID}
			leased, err = db.LeaseDue(ctx, r)
		}
		return wantCount(err, len(leased.Due), 20)
	}
	return []staleCase{
		{"lease deliveries", 20, func() {
			s.exec(`update endpoints set drain_token = null, drain_until = null, enabled = true where workspace_id = $1`, s.ws)
		}, lease},
		{"record outcomes", 20, func() {
			if err := lease(s.Context(), s.silent); err != nil {
				s.Fatal(err)
			}
		}, func(ctx context.Context, db *pg.DB) error {
			r := pg.RecordRequest{Workspace: s.ws, Endpoint: s.endpoint.ID, Token: token}
			for _, j := range leased.Due {
				a := webhook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, Status: 200, At: time.Now()}
				r.Outcomes = append(r.Outcomes, webhook.Outcome{Attempt: a, State: webhook.Delivered})
			}
			_, err := db.RecordOutcomes(ctx, r)
			return err
		}},
	}
}

func (s *stale) replayCases() []staleCase {
	var replay id.UUID
	create := func(f webhook.Filter) {
		r := webhook.Replay{WorkspaceID: s.ws, ID: id.New(), Filter: f, Rate: 1000, CreatedAt: time.Now().Add(time.Minute)}
		if err := s.silent.CreateReplay(s.Context(), r); err != nil {
			s.Fatal(err)
		}
		replay = r.ID
	}
	run := func(ctx context.Context, db *pg.DB) error {
		if _, err := db.RunReplay(ctx, s.ws, replay, 20); err != nil { // counts
			return err
		}
		out, err := db.RunReplay(ctx, s.ws, replay, 20)
		if err == nil && out.Resent == 0 {
			err = errors.New("nothing was resent")
		}
		return err
	}
	return []staleCase{
		{"replay failures of an endpoint", staleLeads / 33, func() {
			create(webhook.Filter{EndpointID: s.endpoint.ID, States: []webhook.State{webhook.Exhausted}})
		}, run},
		{"replay the deliveries of a lead", 7, func() {
			s.deliverTold()
			create(webhook.Filter{LeadID: s.told})
		}, run},
		{"resend a delivery", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, err := db.ResendDelivery(ctx, s.ws, s.deliveries(1)[0])
			return err
		}},
	}
}

// deliverTold makes a lead with events, once, and says that they arrived.
func (s *stale) deliverTold() {
	s.Helper()
	if s.told == (id.UUID{}) {
		s.told = s.nextLead()
		s.tell(s.told, 7)
	}
	s.exec(`
update deliveries set state = 'delivered'
 where workspace_id = $1 and event_id in (select id from events where workspace_id = $1 and lead_id = $2)`, s.ws, s.told)
}

func (s *stale) deliveries(n int) []id.UUID {
	s.Helper()
	return s.ids(`select id from deliveries where workspace_id = $1 order by id limit $2`, s.ws, n)
}

func (s *stale) listCases() []staleCase {
	return []staleCase{
		{"read books", 20, func() {
			s.exec(`
insert into books (workspace_id, day, way, form_id, outcome, n)
select $1, current_date + 10 - n, 'api', '00000000-0000-0000-0000-000000000000', 'new', 1 from generate_series(1, 20000) n
on conflict do nothing`, s.ws)
		}, func(ctx context.Context, db *pg.DB) error {
			all, err := db.ReadBooks(ctx, s.ws, time.Now().AddDate(0, 0, -30), time.Now().AddDate(0, 0, -10), id.UUID{})
			return wantCount(err, len(all), 20)
		}},
		{"list attempts", 20, nil, func(ctx context.Context, db *pg.DB) error {
			all, err := db.ListAttempts(ctx, s.ws, s.deliveries(20))
			return wantCount(err, len(all), 20)
		}},
		{"list the deliveries of a lead", 8, s.deliverTold, func(ctx context.Context, db *pg.DB) error {
			q := pg.DeliveryQuery{Filter: webhook.Filter{LeadID: s.told}, Limit: 10}
			all, _, err := db.FindDeliveries(ctx, s.ws, q)
			return wantCount(err, len(all), 8)
		}},
		{"list exhausted and held deliveries", 20, nil, func(ctx context.Context, db *pg.DB) error {
			f := webhook.Filter{States: []webhook.State{webhook.Exhausted, webhook.Held}}
			all, _, err := db.FindDeliveries(ctx, s.ws, pg.DeliveryQuery{Filter: f, Limit: 20, Scan: 50})
			return wantCount(err, len(all), 20)
		}},
		{"list the events of a lead", 8, s.deliverTold, func(ctx context.Context, db *pg.DB) error {
			all, _, err := db.FindEvents(ctx, s.ws, pg.EventQuery{LeadID: s.told, Limit: 10})
			return wantCount(err, len(all), 8)
		}},
		{"count backlogs", 100, nil, func(ctx context.Context, db *pg.DB) error {
			all, err := db.CountBacklogs(ctx, s.ws, []id.UUID{s.endpoint.ID, id.New()}, 100)
			return wantCount(err, len(all), 2)
		}},
		{"backlog of an endpoint", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, err := db.EndpointBacklog(ctx, s.ws, s.endpoint.ID)
			return err
		}},
		{"list pending deliveries", 20, nil, func(ctx context.Context, db *pg.DB) error {
			f := webhook.Filter{States: []webhook.State{webhook.Pending}}
			all, _, err := db.FindDeliveries(ctx, s.ws, pg.DeliveryQuery{Filter: f, Limit: 20, Scan: 400})
			return wantCount(err, len(all), 20)
		}},
		{"list events", 20, nil, func(ctx context.Context, db *pg.DB) error {
			all, _, err := db.FindEvents(ctx, s.ws, pg.EventQuery{Limit: 20, Scan: 50})
			return wantCount(err, len(all), 20)
		}},
		{"tell that an endpoint fails", 1, func() {
			s.exec(`
update endpoints set failures = 12, probes = 3, failing_since = now() - interval '6 days', told = false
 where workspace_id = $1 and id = $2`, s.ws, s.endpoint.ID)
		}, func(ctx context.Context, db *pg.DB) error {
			_, err := db.NotifyFailing(ctx, s.ws, s.endpoint.ID, webhook.NotifyAfter)
			return err
		}},
		{"timeline of a lead", 8, s.deliverTold, func(ctx context.Context, db *pg.DB) error {
			got, err := db.LeadTimeline(ctx, lead.Lead{WorkspaceID: s.ws, ID: s.told}, 20, 20)
			return wantCount(err, len(got.Events), 8)
		}},
	}
}

func (s *stale) leadCases() []staleCase {
	var erased id.UUID
	find := func(_ context.Context, _ tenant.Settings, all []lead.Lead) []pg.Finding {
		return slices.Repeat([]pg.Finding{{Facts: []byte(`{"found":true}`)}}, len(all))
	}
	var imported leadfile.Import
	return []staleCase{
		{"erase a lead with events", 8, func() {
			erased = s.nextLead()
			s.tell(erased, 7)
		}, func(ctx context.Context, db *pg.DB) error {
			e, err := db.EraseLead(ctx, s.ws, erased, pg.Erasure{})
			return wantCount(err, e.Events, 8)
		}},
		{"erase a lead as a job", 8, func() {
			erased = s.nextLead()
			s.tell(erased, 7)
		}, func(ctx context.Context, db *pg.DB) error {
			e, err := db.EraseLead(ctx, s.ws, erased, pg.Erasure{Job: &pg.ErasureJob{}})
			return wantCount(err, e.Events, 8)
		}},
		{"enrich leads", 20, nil, func(ctx context.Context, db *pg.DB) error {
			got, err := db.Enrich(ctx, []id.UUID{s.ws}, 10, find) // 10 that are new, and 10 others
			return wantCount(err, got.Taken, 20)
		}},
		{"insert leads that are there", 20, nil, func(ctx context.Context, db *pg.DB) error {
			got, err := db.InsertLeads(ctx, s.newLeads(s.emails(20)))
			if err == nil && got.Leads[0].Holder == (id.UUID{}) {
				err = errors.New("no holder was found")
			}
			return err
		}},
		{"find holders", 20, nil, func(ctx context.Context, db *pg.DB) error {
			var asked []pg.UniqueEmail
			for _, email := range s.emails(20) {
				asked = append(asked, pg.UniqueEmail{Workspace: s.ws, Key: email})
			}
			got, err := db.FindHolders(ctx, asked)
			if err == nil && slices.Contains(got, id.UUID{}) {
				err = errors.New("no holder was found")
			}
			return err
		}},
		{"import leads that are there", 20, func() {
			d := &desk{T: s.T, db: s.silent, ws: s.ws}
			imported = d.mustImport("....")
		}, func(ctx context.Context, db *pg.DB) error {
			b := &pg.ImportBatch{Workspace: s.ws, Import: imported.ID, From: 0, To: 4}
			for i, l := range s.newLeads(s.emails(20)) {
				b.Rows = append(b.Rows, pg.ImportRow{NewLead: l, Number: i + 1})
			}
			out, err := db.ImportRows(ctx, b)
			return wantCount(err, out.Tally.Duplicates, 20)
		}},
		{"list leads since", 20, nil, func(ctx context.Context, db *pg.DB) error {
			all, _, _, err := db.LeadsSince(ctx, s.ws, pg.LeadKey{}, 20)
			return wantCount(err, len(all), 20)
		}},
		{"find a lead by its email", 1, nil, func(ctx context.Context, db *pg.DB) error {
			q := pg.LeadQuery{Query: lead.Query{AddressKey: s.emails(1)[0]}, Limit: 5, Facts: true}
			all, _, err := db.FindLeads(ctx, s.ws, q)
			return wantCount(err, len(all), 1)
		}},
		{"find a lead by its phone", 250, func() { // 250 are scanned before the index is asked
			s.exec(`update enrichments set due_at = null where workspace_id = $1`, s.ws)
			called := s.ids(`select id from leads where workspace_id = $1 order by id limit 1`, s.ws)[0]
			s.exec(`update leads set phone = '+1 555 999 9999' where workspace_id = $1 and id = $2`, s.ws, called)
			s.exec(`update enrichments set due_at = now() where workspace_id = $1 and lead_id = $2`, s.ws, called)
			if _, err := s.silent.Enrich(s.Context(), []id.UUID{s.ws}, 1, find); err != nil {
				s.Fatal(err)
			}
		}, func(ctx context.Context, db *pg.DB) error {
			q := pg.LeadQuery{Query: lead.Query{Phone: "15559999999"}, Limit: 5, Facts: true}
			all, _, err := db.FindLeads(ctx, s.ws, q)
			return wantCount(err, len(all), 1)
		}},
	}
}

func (s *stale) requestCases() []staleCase {
	return []staleCase{
		{"repeat requests", 20, nil, func(ctx context.Context, db *pg.DB) error {
			all, err := db.BeginIdempotent(ctx, s.requests(20))
			return wantCount(err, len(all), 20)
		}},
		{"forget keys", 20, func() {
			s.exec(`update idempotency set status = null, body = null, headers = null, leads = null where workspace_id = $1`, s.ws)
		}, func(ctx context.Context, db *pg.DB) error {
			var all []pg.IdempotentAnswer
			for _, r := range s.requests(20) {
				all = append(all, pg.IdempotentAnswer{Workspace: s.ws, Key: r.Key, ID: r.ID})
			}
			return db.ForgetIdempotent(ctx, all)
		}},
		{"keep answers", 20, func() {
			s.exec(`
update idempotency set status = null, body = null, headers = null, leads = null where workspace_id = $1`, s.ws)
		}, func(ctx context.Context, db *pg.DB) error {
			leads := s.ids(`select id from leads where workspace_id = $1 order by id limit 20`, s.ws)
			var all []pg.IdempotentAnswer
			for i, r := range s.requests(20) {
				e, err := s.silent.ReadIdempotencyEntry(ctx, r)
				if err != nil {
					return err
				}
				all = append(all, pg.IdempotentAnswer{Workspace: s.ws, Key: r.Key, ID: e.ID, AcquiredAt: e.AcquiredAt,
					Status: 201, Header: []byte(`{}`), Body: []byte(`{}`), Leads: leads[i : i+1]})
			}
			kept, err := db.CompleteIdempotentNow(ctx, all)
			if err == nil && slices.Contains(kept, false) {
				err = errors.New("some answers were not kept")
			}
			return err
		}},
	}
}

func (s *stale) upkeepCases() []staleCase {
	age := func(table, column string) func() {
		return func() {
			s.exec(`
update `+table+` set `+column+` where ctid in (select ctid from `+table+` where workspace_id = $1 limit 20)`, s.ws)
		}
	}
	return []staleCase{ // releases have no index by their time: all are looked at, once
		{"delete old releases", 26_000, age("releases", `created_at = now() - interval '30 days'`),
			func(ctx context.Context, db *pg.DB) error {
				n, err := db.DeleteOldReleases(ctx)
				return wantCount(err, n, 20)
			}},
		{"delete old keys", 20, age("idempotency", `created_at = now() - interval '30 days'`),
			func(ctx context.Context, db *pg.DB) error {
				n, err := db.DeleteOldKeys(ctx, 20)
				return wantCount(err, n, 20)
			}},
		{"delete old audit", 20, age("audit", `created_at = now() - interval '2 years'`),
			func(ctx context.Context, db *pg.DB) error {
				n, err := db.DeleteOldAudit(ctx)
				return wantCount(err, n, 20)
			}},
		{"find unfinished work", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, err := db.FindUnfinished(ctx)
			return err
		}},
		{"reindex search", 20, age("enrichments", `words = null, due_at = null`),
			func(ctx context.Context, db *pg.DB) error {
				n, err := db.ReindexSearch(ctx, 20)
				return wantCount(err, n, 20)
			}},
	}
}
