// Package intake is the hot path: rate limit and reservation in Redis, then a group commit to Postgres.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/books"
	"leadgate/shared/batch"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// Limits of the three batchers. A full queue is a 503 at once: waiting longer would only make the client time out.
const (
	admitQueue, admitBatch, admitCalls    = 8192, 128, 4
	holderQueue, holderBatch, holderCalls = 8192, 256, 2
	commitQueue, commitBatch, commitCalls = 4096, 256, 2
	appendBatch, appendCalls              = 64, 2

	commitTimeout = 3 * time.Second // a client that has just missed a commit waits for two
	fullRetry     = time.Second     // Retry-After of a 503

	// Leads that come faster share a commit, which costs Postgres ten times what is in it.
	commitPace = 3 * time.Millisecond
)

// Deps is what intake works with; all are needed but Books.
type Deps struct {
	DB       *pg.DB
	Redis    redis.UniversalClient
	Waker    *task.Waker
	Log      *slog.Logger
	Registry prometheus.Registerer
	Now      func() time.Time
	Books    *books.Counter // nil: what leaves no row is not counted for workspaces
}

// Service takes leads in.
//
//	Admit --> admission batcher --> Redis: rate limit + SET NX (one pipeline)
//	  |
//	  v
//	Put --committed--> holder batcher --> Postgres: one SELECT --> 409, or else:
//	  | reserved, pending elsewhere, or Redis unavailable
//	  v
//	commit batcher --> Postgres: one INSERT --> Redis: mark committed, wake --> answer
//	  | another transaction has an email of the workspace
//	  v
//	lanes --> Postgres: one INSERT for each lead
type Service struct {
	Deps
	local      limit.Local[id.UUID] // while Redis is down
	admissions *batch.Batcher[rdb.AdmissionRequest, rdb.AdmissionResult]
	holders    *batch.Batcher[pg.UniqueEmail, holderResult]
	commits    *batch.Batcher[queuedLead, commitResult]
	kept       *batch.Batcher[queuedSubmission, keepResult]
	appended   *batch.Batcher[pg.Append, bool]
	lanes      *lanes
	metrics    metrics
}

// queuedLead is a lead that waits for its commit since at.
type queuedLead struct {
	pg.NewLead
	at time.Time
}

type commitResult struct {
	pg.LeadResult
	err error
}

// lockTimeout reports whether another transaction has the email.
func (r *commitResult) lockTimeout() bool { return errors.Is(r.err, pg.ErrLockTimeout) }

// New starts a Service; Stop ends it.
func New(d Deps) *Service {
	s := &Service{Deps: d, metrics: newMetrics(d.Registry), lanes: newLanes(d.DB.Stats().MaxOpenConnections)}
	s.admissions = batch.New(batch.Options{Queue: admitQueue, Max: admitBatch, Calls: admitCalls},
		batch.Recover(d.Log, "admit", s.admitAll,
			func(err error) rdb.AdmissionResult { return rdb.AdmissionResult{Err: err} }))
	s.holders = batch.New(batch.Options{Queue: holderQueue, Max: holderBatch, Calls: holderCalls},
		batch.Recover(d.Log, "find holders", s.findHolders,
			func(err error) holderResult { return holderResult{err: err} }))
	s.commits = batch.New(batch.Options{Queue: commitQueue, Max: commitBatch, Calls: commitCalls, Pace: commitPace},
		batch.Recover(d.Log, "commit", s.commitAll, // a zero result would mean that the lead was created
			func(err error) commitResult { return commitResult{err: err} }))
	s.kept = batch.New(batch.Options{Queue: commitQueue, Max: commitBatch, Calls: 1},
		batch.Recover(d.Log, "keep submissions", s.keepAll, func(err error) keepResult { return keepResult{err: err} }))
	s.appended = batch.New(batch.Options{Queue: commitQueue, Max: appendBatch, Calls: appendCalls},
		batch.Recover(d.Log, "append submissions", s.appendAll, func(error) bool { return false }))
	s.metrics.watch(d.Registry, s)
	return s
}

// Stop finishes what was admitted. Call it when no request can come any more.
func (s *Service) Stop() {
	s.admissions.Stop()
	s.holders.Stop()
	s.commits.Stop()
	s.kept.Stop()
	s.appended.Stop()
}

// NewLead returns the lead that d asks for. leadID is its id, also when the request comes again; zero: a new one.
func NewLead(p *tenant.Principal, d *lead.Draft, chatbot, leadID id.UUID) lead.Lead {
	if leadID == (id.UUID{}) {
		leadID = id.New()
	}
	key := p.Settings.UniqueKey(d.AddressKey, chatbot, leadID)
	return lead.New(d, lead.Origin{Workspace: p.WorkspaceID, ID: leadID, Chatbot: chatbot, UniqueKey: key})
}

// commit makes the lead of r durable, or says why not. holder is the lead that has the email, with DUPLICATE_EMAIL.
// Where the lead had to wait it counts as updated when it was written.
func (s *Service) commit(ctx context.Context, p *tenant.Principal, r *Request) (holder id.UUID, err error) {
	l := &r.Lead
	res := s.write(ctx, p, pg.NewLead{Lead: *l, EventID: id.New(), Way: r.Way, FormID: r.Form, Submission: r.Submission,
		Trace: trace.From(ctx)})
	switch {
	case queueFull(res.err):
		s.metrics.count("queue_full")
		return holder, res.err
	case res.err != nil:
		s.metrics.count("failed")
		return holder, res.err
	case res.Suppressed:
		s.metrics.count("suppressed")
		return holder, lead.SuppressedError(l)
	case res.Taken && res.Holder == (id.UUID{}): // deleted between two statements
		return holder, fault.StoreUnavailable(errHolderGone, fullRetry)
	case res.Taken:
		s.metrics.count("duplicate")
		return res.Holder, duplicate(l, res.Holder)
	}
	if !res.UpdatedAt.IsZero() {
		l.UpdatedAt = res.UpdatedAt
	}
	s.metrics.count("created")
	return holder, nil
}

// write makes l durable together with others, or by itself where that would hold them up.
func (s *Service) write(ctx context.Context, p *tenant.Principal, l pg.NewLead) commitResult {
	now := s.Now()
	if s.lanes.isContended(l.WorkspaceID, now) {
		return s.insertAlone(ctx, p, l)
	}
	res, err := s.commits.Do(ctx, queuedLead{l, now})
	if err != nil { // full, stopping, or the caller is out of time: the lead may still be committed
		return commitResult{err: fault.StoreUnavailable(err, fullRetry)}
	}
	if res.lockTimeout() {
		return s.insertAlone(ctx, p, l)
	}
	return res
}

// queueFull reports whether a lead was refused because too many wait already.
func queueFull(err error) bool {
	return errors.Is(err, batch.ErrFull) || errors.Is(err, limit.ErrKeyFull) || errors.Is(err, limit.ErrFull)
}

// duplicateDetails are the details of DUPLICATE_EMAIL, which has an email, and of DUPLICATE_PHONE.
type duplicateDetails struct {
	Email          string `json:"email,omitempty"`
	Phone          string `json:"phone,omitempty"`
	ExistingLeadID string `json:"existingLeadId"`
	Message        string `json:"message"`
}

func duplicate(l *lead.Lead, holder id.UUID) error {
	err := &fault.Error{Kind: fault.Duplicate, Public: "Email already exists"}
	if l.Email == "" {
		err.Kind, err.Public = fault.DuplicatePhone, "Phone already exists"
	}
	details := duplicateDetails{Email: l.Email, ExistingLeadID: id.Lead.Format(holder), Message: lead.DuplicateMessage(l)}
	if l.Email == "" {
		details.Phone = l.Phone
	}
	err.Details = details
	return err
}
