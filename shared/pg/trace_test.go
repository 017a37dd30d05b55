package pg_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// spanOf is a request of trace n, which we do not export, and what is kept of it.
func spanOf(n int) (*trace.Span, string) {
	text := fmt.Sprintf("00-%032x-%016x-01", n, n)
	var off *trace.Tracer
	return off.Serve(http.Header{"Traceparent": {text}, "Tracestate": {"a=b"}}, "POST"), text + " a=b"
}

// traceOf is what is kept with an event of a lead.
func (b *book) traceOf(leadID id.UUID, event string) (kept string) {
	b.Helper()
	if err := b.db.GetContext(b.Context(), &kept,
		`select coalesce((select trace from events where lead_id = $1 and type = $2), '')`, leadID, event); err != nil {
		b.Fatal(err)
	}
	return kept
}

// A trace goes with its lead through the queue of enrichments, to the events and to the deliveries; leads beside it in
// the same commit have none.
func TestTraceGoesWithItsLead(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]bool{"api": false, "form": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			elsewhere := pgtest.Workspace(t, b.db).ID
			leads := make([]pg.NewLead, 8)
			kept := make([]string, len(leads))
			for i := range leads {
				ws := b.ws
				if i >= 6 {
					ws = elsewhere
				}
				leads[i] = counted(ws, tenant.WayForm, id.New(), fmt.Sprintf("%d@example.com", i))
				leads[i].CreatedAt = time.Now()
				if form {
					leads[i].Submission = &lead.Submission{WorkspaceID: ws, ID: id.New(), FormID: leads[i].FormID,
						Verdict: lead.Clean, Fields: []byte("{}"), CreatedAt: time.Now()}
				}
				if i%2 == 1 && i < 6 {
					leads[i].Trace, kept[i] = spanOf(i)
				}
			}
			if _, err := b.db.InsertLeads(t.Context(), leads); err != nil {
				t.Fatal(err)
			}
			if n := b.count(`select count(*) from enrichment_queue where traces is null and workspace_id = $1`, elsewhere); n != 1 {
				t.Error("a row of the queue in which no lead has a trace has some")
			}
			b.enrichBeside(leads[1].ID)
			for i := range leads {
				created, enriched := b.traceOf(leads[i].ID, "lead.created"), b.traceOf(leads[i].ID, "lead.enriched")
				if created != kept[i] || i < 6 && enriched != kept[i] {
					t.Errorf("lead %d has %q and %q, want %q", i, created, enriched, kept[i])
				}
			}
			b.checkLease(leads, kept)
		})
	}
}

// enrichBeside enriches all leads, that one later, because somebody has it at first.
func (b *book) enrichBeside(held id.UUID) {
	b.Helper()
	stop := errors.New("stop")
	_, err := b.db.UpdateLead(b.Context(), b.ws, held, func(*lead.Lead) error {
		got, err := b.db.Enrich(b.Context(), []id.UUID{b.ws}, 10, found(nil))
		if err != nil || got.Missed != 1 {
			b.Errorf("Enrich() = %+v, %v, want the lead that is being changed left", got, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		b.Fatalf("UpdateLead = %v", err)
	}
	b.mustExec(`update enrichment_queue set due_at = now()`)
	b.enrichAll(found(nil))
}

// checkLease looks at the traces that a worker gets, with lead.created and lead.enriched.
func (b *book) checkLease(leads []pg.NewLead, kept []string) {
	b.Helper()
	var endpoint id.UUID
	if err := b.db.GetContext(b.Context(), &endpoint, `select id from endpoints where workspace_id = $1`, b.ws); err != nil {
		b.Fatal(err)
	}
	got, err := b.db.LeaseDue(b.Context(), pg.LeaseRequest{Workspace: b.ws, Endpoint: endpoint, Token: id.New(),
		Lease: time.Minute, Limit: 100})
	if err != nil || len(got.Due) != 12 {
		b.Fatalf("LeaseDue() = %d deliveries, %v, want 12", len(got.Due), err)
	}
	want := map[id.UUID]string{}
	for i := range leads {
		want[leads[i].ID] = kept[i]
	}
	for _, d := range got.Due {
		if d.Trace != want[d.LeadID] {
			b.Errorf("%s is leased with trace %q, want %q", d.EventType, d.Trace, want[d.LeadID])
		}
	}
}

// A change has the trace of the request that makes it, and an erasure leaves none.
func TestTraceOfAChange(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	span, kept := spanOf(7)
	ctx := trace.With(t.Context(), span)
	rename := func(l *lead.Lead) error { l.Name = "Ann"; return nil }
	if _, err := b.db.UpdateLead(ctx, b.ws, l.ID, rename); err != nil {
		t.Fatal(err)
	}
	if got := b.traceOf(l.ID, "lead.updated"); got != kept {
		t.Errorf("lead.updated has trace %q, want %q", got, kept)
	}
	timeline, err := b.db.LeadTimeline(t.Context(), l, 100, 100)
	if err != nil || len(timeline.Events) != 2 || timeline.Events[0].TraceID != "" || timeline.Events[1].TraceID != kept[3:35] {
		t.Errorf("timeline = %+v, %v, want the trace with the second event", timeline.Events, err)
	}
	if _, err := b.db.EraseLead(context.Background(), b.ws, l.ID, pg.Erasure{}); err != nil {
		t.Fatal(err)
	}
	if n := b.count(`select count(*) from events where trace is not null`); n != 0 {
		t.Errorf("%d events have a trace after the erasure", n)
	}
}

// The events of an import's rows have the trace of the request that made it, those of leads that a row changes too.
func TestTraceOfAnImport(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	span, kept := spanOf(7)
	var off *trace.Tracer
	for _, test := range []struct {
		ctx  context.Context
		want string
	}{{trace.With(t.Context(), span), kept}, {t.Context(), ""}} {
		i := leadfile.Import{WorkspaceID: d.ws, ID: id.New(), Format: leadfile.NDJSON, CreatedAt: time.Now()}
		if err := d.db.CreateImport(test.ctx, i); err != nil {
			t.Fatal(err)
		}
		if _, err := d.db.CompleteImport(t.Context(), d.ws, i.ID); err != nil {
			t.Fatal(err)
		}
		i, _, ok, err := d.db.BeginImport(t.Context(), d.ws, i.ID)
		if err != nil || !ok || i.Trace != test.want {
			t.Fatalf("BeginImport() = trace %q, %v, %v, want %q", i.Trace, ok, err, test.want)
		}
		r := d.round(i, 0, 1, i.ID.String()+"@example.com", i.ID.String()+"@example.com")
		r.OnDuplicate = lead.UpdateDuplicate
		if _, err := d.db.ImportRows(trace.With(t.Context(), off.Continue(i.Trace, "", trace.Consumer)), r); err != nil {
			t.Fatal(err)
		}
		if n := d.number(`select count(*) from events where lead_id = $1 and coalesce(trace, '') = $2`, r.Rows[0].ID,
			test.want); n != 2 {
			t.Errorf("%d events have trace %q, want lead.created and lead.updated", n, test.want)
		}
	}
}

// What is told of a submission has the trace of the request with which it came, or by which its owner decided.
func TestTraceOfASubmission(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	spans, kept := make([]*trace.Span, 5), make([]string, 5)
	for n := 1; n < len(spans); n++ { // of 0 nobody follows
		spans[n], kept[n] = spanOf(n)
	}
	same := func(*lead.Lead) error { return nil }
	of := func(l lead.Lead, n int) pg.Append {
		return pg.Append{Submission: lead.Submission{WorkspaceID: b.ws, ID: id.New(), FormID: id.New(), LeadID: l.ID,
			Outcome: lead.OutcomeAppended, Verdict: lead.Clean, Email: l.Email, EmailKey: l.AddressKey(),
			CreatedAt: time.Now()}, Change: same, Trace: spans[n]}
	}
	leads := []lead.Lead{b.mustLead("0@example.com"), b.mustLead("1@example.com"), b.mustLead("2@example.com")}
	together := []pg.Append{of(leads[0], 0), of(leads[1], 1)}
	if done, _, err := b.db.AppendSubmissions(t.Context(), together); err != nil || !done[0] || !done[1] {
		t.Fatalf("AppendSubmissions() = %v, %v, want both kept", done, err)
	}
	alone := of(leads[2], 2)
	if _, err := b.db.AppendSubmission(trace.With(t.Context(), alone.Trace), alone.Submission, same); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.db.MarkSpam(trace.With(t.Context(), spans[3]), b.ws, alone.ID, nil); err != nil {
		t.Fatal(err)
	}
	held := of(leads[0], 0).Submission
	held.LeadID, held.Verdict, held.Outcome, held.EmailKey = id.UUID{}, lead.Held, lead.OutcomeHeld, "new@example.com"
	if err := b.db.InsertSubmissions(t.Context(), []lead.Submission{held}); err != nil {
		t.Fatal(err)
	}
	released := leads[0]
	released.ID, released.Email, released.UniqueKey = id.New(), "new@example.com", "new@example.com"
	if _, err := b.db.ReleaseSubmission(trace.With(t.Context(), spans[4]), b.ws, held.ID,
		func(lead.Submission) (*pg.Release, error) {
			return &pg.Release{New: pg.NewLead{Lead: released, EventID: id.New()}, Change: same}, nil
		}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		lead  id.UUID
		event string
		n     int
	}{{leads[0].ID, "lead.submitted", 0}, {leads[1].ID, "lead.submitted", 1}, {leads[2].ID, "lead.submitted", 2},
		{leads[2].ID, "lead.marked_spam", 3}, {released.ID, "lead.created", 4}} {
		if got := b.traceOf(want.lead, want.event); got != kept[want.n] {
			t.Errorf("%s has trace %q, want %q", want.event, got, kept[want.n])
		}
	}
}

// The event of an erasure has the trace of the request that asked for it, also where a job goes on with it.
func TestTraceOfAnErasure(t *testing.T) {
	t.Parallel()
	for name, within := range map[string]time.Duration{"at once": 0, "a job": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			l := b.mustLead("a@example.com")
			b.mustTell(l, 600)
			span, kept := spanOf(7)
			_, err := b.db.EraseLead(trace.With(t.Context(), span), b.ws, l.ID, pg.Erasure{Within: within,
				Note: &tenant.AuditEntry{WorkspaceID: b.ws, ID: id.New(), Action: tenant.LeadErased, CreatedAt: time.Now()}})
			if err != nil {
				t.Fatal(err)
			}
			jobs, err := b.db.RunningErasures(t.Context(), 10)
			if err != nil || len(jobs) > 0 != (within > 0) {
				t.Fatalf("RunningErasures() = %v, %v", jobs, err)
			}
			for i := range jobs {
				if _, err := b.db.EraseLead(t.Context(), jobs[i].Workspace, jobs[i].Lead, pg.Erasure{Job: &jobs[i]}); err != nil {
					t.Fatal(err)
				}
			}
			if n := b.count(`select count(*) from events where lead_id = $1 and type = 'lead.deleted' and trace = $2`, l.ID,
				kept); n != 1 {
				t.Errorf("%d events lead.deleted have the trace, want the last one alone", n)
			}
		})
	}
}

// An event without a trace takes no byte more than before there were any.
func TestNoTraceTakesNoRoom(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.mustLead("a@example.com")
	with := b.count(`select sum(pg_column_size(v.*)) from events v`)
	var all []string
	if err := b.db.SelectContext(t.Context(), &all, `
select attname from pg_attribute where attrelid = 'events'::regclass and attnum > 0 and not attisdropped and attname <> 'trace' order by attnum`); err != nil {
		t.Fatal(err)
	}
	without := b.count(`select sum(pg_column_size(row(` + strings.Join(all, ", ") + `))) from events`)
	if with != without {
		t.Errorf("the event has %d bytes, and %d without the column", with, without)
	}
}
