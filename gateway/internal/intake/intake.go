// Package intake is the hot path: rate limit and reservation in Redis, then a group commit to Postgres.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/batch"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// Limits of the two batchers. A full queue is a 503 at once: waiting longer would only make the client time out.
const (
	admitQueue, admitBatch, admitWorkers    = 8192, 128, 4
	commitQueue, commitBatch, commitWorkers = 4096, 256, 2

	commitTimeout = 3 * time.Second // a client that just missed a commit waits for two
	fullRetry     = time.Second     // Retry-After of a 503
)

// Deps is what intake works with; all are needed but Usage.
type Deps struct {
	DB       *pg.DB
	Redis    redis.UniversalClient
	Waker    *task.Waker
	Log      *slog.Logger
	Registry prometheus.Registerer
	Now      func() time.Time
	Usage    *usage.Counter // nil: nothing is counted for workspaces
}

// Service takes leads in.
//
//	Create --> admission batcher --> Redis: rate limit + SET NX (one pipeline)
//	              | reserved, pending elsewhere, or Redis away
//	              v
//	        commit batcher --> Postgres: one INSERT --> Redis: mark committed, wake --> answer
type Service struct {
	Deps
	breaker    limit.Breaker
	local      limit.Local[id.UUID] // while Redis is down
	admissions *batch.Batcher[rdb.AdmissionRequest, rdb.AdmissionResult]
	commits    *batch.Batcher[queuedLead, commitResult]
	keyed      keyed
	releases   pendingReleases
	metrics    metrics
}

// queuedLead is a lead on its way, and since when.
type queuedLead struct {
	pg.NewLead
	at time.Time
}

type commitResult struct {
	pg.LeadResult
	err error
}

// New starts a Service; Stop ends it.
func New(d Deps) *Service {
	s := &Service{Deps: d, metrics: newMetrics(d.Registry)}
	s.admissions = batch.New(batch.Options{Queue: admitQueue, Max: admitBatch, Workers: admitWorkers}, guarded(d.Log, s.admitAll, func(err error) rdb.AdmissionResult { return rdb.AdmissionResult{Err: err} }))
	s.commits = batch.New(batch.Options{Queue: commitQueue, Max: commitBatch, Workers: commitWorkers}, guarded(d.Log, s.commitAll, func(err error) commitResult { return commitResult{err: err} }))
	s.startKeyed()
	s.startReleases()
	s.metrics.watch(d.Registry, s)
	return s
}

// Stop finishes what was admitted. Call it when no request can come any more.
func (s *Service) Stop() {
	s.admissions.Stop()
	s.commits.Stop()
	s.keyed.stop()
	s.releases.shutdown()
}

// Limit takes one request from a workspace's rate limit. Without Redis this process alone decides.
func (s *Service) Limit(ctx context.Context, p *tenant.Principal) limit.Decision {
	return s.admit(ctx, p, rdb.AdmissionRequest{Workspace: p.WorkspaceID}).Decision
}

// Request is one lead to be taken in.
type Request struct {
	lead.Draft
	Chatbot id.UUID // zero: none
	ID      id.UUID // what the lead's id will be, also when the request comes again; zero: a new one
	Slow    bool    // a duplicate takes as long as a new lead, so that nobody can tell them apart

	Admitted *limit.Decision // the rate limit was asked already; then nothing is reserved, and Postgres decides alone. nil: it was not
}

// Create makes a durable lead, or says why not: RATE_LIMITED, DUPLICATE_EMAIL with the lead that has the email (see Holder),
// EMAIL_SUPPRESSED, UNAVAILABLE. The Verdict is valid in every case.
func (s *Service) Create(ctx context.Context, p *tenant.Principal, r Request) (lead.Lead, limit.Decision, error) {
	l := s.Lead(p, r)
	call := rdb.AdmissionRequest{Workspace: p.WorkspaceID, UniqueKey: l.UniqueKey, LeadID: l.ID}
	if p.Settings.Dedupe == tenant.DedupeNone {
		call = rdb.AdmissionRequest{Workspace: p.WorkspaceID} // there is nothing to reserve
	}
	var pass rdb.Admission
	if r.Admitted != nil {
		pass.Decision = *r.Admitted
	} else {
		pass = s.admit(ctx, p, call)
	}
	if pass.Limited {
		s.metrics.count("limited")
		return l, pass.Decision, limited(pass.Decision)
	}
	if pass.Committed && !r.Slow && pass.Holder != l.ID {
		s.metrics.count("duplicate_fast")
		s.Usage.Count(p.WorkspaceID, usage.Duplicates, 1)
		return l, pass.Decision, duplicate(l.Email, pass.Holder)
	}
	if p.Settings.Suppressing {
		switch suppressed, err := s.DB.Suppressed(ctx, p.WorkspaceID, []string{l.AddressKey()}); {
		case err != nil:
			return l, pass.Decision, err
		case suppressed[l.AddressKey()]:
			s.metrics.count("suppressed")
			return l, pass.Decision, fault.New(fault.Suppressed, lead.SuppressedMessage)
		}
	}
	err := s.commit(ctx, l)
	return l, pass.Decision, err
}

// Lead is the lead that r asks for.
func (s *Service) Lead(p *tenant.Principal, r Request) lead.Lead {
	if r.ID == (id.UUID{}) {
		r.ID = id.New()
	}
	at := id.Time(r.ID)
	return lead.Lead{
		WorkspaceID: p.WorkspaceID, ID: r.ID, ChatbotID: r.Chatbot,
		Name: r.Name, Email: r.Email, UniqueKey: p.Settings.UniqueKey(r.AddressKey, r.Chatbot, r.ID), Phone: r.Phone, Source: r.Source, Status: r.Status, Metadata: r.Metadata,
		CreatedAt: at, UpdatedAt: at,
	}
}

func (s *Service) commit(ctx context.Context, l lead.Lead) error {
	res, err := s.commits.Do(ctx, queuedLead{pg.NewLead{Lead: l, EventID: id.New()}, s.Now()})
	switch {
	case errors.Is(err, batch.ErrFull):
		s.metrics.count("queue_full")
		return fault.StoreUnavailable(err, fullRetry)
	case err != nil: // stopping, or the caller left: the lead may still be committed
		return fault.StoreUnavailable(err, fullRetry)
	case res.err != nil:
		s.metrics.count("failed")
		return res.err
	case res.Taken && res.Holder == (id.UUID{}): // deleted between two statements
		return fault.StoreUnavailable(errors.New("the lead that has the email was just deleted"), fullRetry)
	case res.Taken:
		s.metrics.count("duplicate")
		return duplicate(l.Email, res.Holder)
	}
	s.metrics.count("created")
	return nil
}

// duplicateDetails are the contract's.
type duplicateDetails struct {
	Email          string `json:"email"`
	ExistingLeadID string `json:"existingLeadId"`
	Message        string `json:"message"`
}

func duplicate(email string, holder id.UUID) error {
	return &fault.Error{Kind: fault.Duplicate, Public: "Email already exists",
		Details: duplicateDetails{email, id.Lead.Format(holder), "A lead with this email already exists in your workspace"}}
}

// Holder returns the lead that a DUPLICATE_EMAIL names; ok is false for other errors.
func Holder(err error) (holder id.UUID, ok bool) {
	if !fault.Is(err, fault.Duplicate) {
		return holder, false
	}
	d, ok := fault.From(err).Details.(duplicateDetails)
	if !ok {
		return holder, false
	}
	holder, err = id.Lead.Parse(d.ExistingLeadID)
	return holder, err == nil
}

func limited(v limit.Decision) error {
	return &fault.Error{Kind: fault.RateLimited, Public: "Too many requests", RetryAfter: max(v.RetryAfter, time.Millisecond)}
}
