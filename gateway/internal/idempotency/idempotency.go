// Package idempotency processes a request with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) once.
package idempotency

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
)

// storeTimeout is how long a request waits to begin, and to complete.
const storeTimeout = 4 * time.Second

// Request is what of a request matters here besides its key and its body.
type Request struct {
	Workspace id.UUID
	Form      id.UUID // whose keys are apart from all others, because visitors choose them; zero: the workspace's
	MaxBody   int64   // bytes
	WriteOnly bool    // the client may not read what it creates, and gets a shorter answer
}

// Result is what a handler says about the answer that it wrote, or that its error is.
type Result struct {
	Leads   []id.UUID // leads that the answer names, besides the one of the handler's id; it is erased with any of them
	Partial bool      // a repetition could do what is left, so the answer is not kept
}

// Handler answers a request; what it creates has the id given, also when the request comes again.
type Handler func(w http.ResponseWriter, r *http.Request, newID id.UUID) (Result, error)

// Serve has do answer the first request with its key, and answers its repetitions with the same bytes. Postgres has the
// keys, so that neither a lost Redis nor a killed process forgets one:
//
//	begin --> new: do, complete with the answer, send it
//	      \-> answered: send that again     in progress: 409     the key of another request: 422
//
// A key that is not completed for 30 s is reclaimed by the next request. That one creates with the same id, and finds
// what was created before. A key whose request was a mistake is forgotten, unless it was reclaimed: who had it before
// may have created something.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, q Request, do Handler) error {
	key, err := readKey(r)
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, q.MaxBody)
	if err != nil {
		return err
	}
	request := pg.IdempotentRequest{Workspace: q.Workspace, Key: hashKey(q.Form, key), ID: id.New()}
	request.Request, request.Meaning = requestHashes(r, body, q.WriteOnly)
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	entry, err := s.acquire(ctx, request)
	if err != nil {
		return err
	}
	if !entry.Acquired {
		return replay(w, r, entry)
	}
	return s.process(w, r, do, request, entry)
}

// process answers a request that is the first with its key.
func (s *Service) process(
	w http.ResponseWriter, r *http.Request, do Handler, request pg.IdempotentRequest, entry pg.IdempotencyEntry,
) error {
	end := pg.IdempotentAnswer{Workspace: request.Workspace, Key: request.Key, ID: entry.ID, AcquiredAt: entry.AcquiredAt}
	complete := func() (bool, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
		defer cancel()
		return s.complete(ctx, end)
	}
	answer, done := &recorder{ResponseWriter: w}, false
	defer func() {
		if !done { // a panic: give the key back, so that a retry need not wait
			_, _ = complete()
		}
	}()
	res, err := do(answer, r, entry.ID)
	if err != nil {
		httpx.Fail(answer, r, err)
	}
	done = true
	if !storable(answer.status) || res.Partial { // if it fails, the key expires
		if madeNothing(answer.status) && !entry.Expired {
			s.forgetKey(r.Context(), end)
		} else {
			_, _ = complete() // without an answer
		}
		answer.send()
		return nil
	}
	end.Status, end.Header, end.Body = answer.status, storedHeader(w.Header()), answer.body
	end.Leads = slices.DeleteFunc(res.Leads, func(l id.UUID) bool { return l == entry.ID })
	kept, err := complete()
	if err == nil && kept {
		answer.send()
		return nil
	}
	answer.discard()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
	defer cancel()
	entry, err = s.db.ReadIdempotencyEntry(ctx, request) // another request reclaimed the key and was faster
	if err != nil {
		return err
	}
	return replay(w, r, entry)
}

// replay answers a request that is not the first with its key.
func replay(w http.ResponseWriter, r *http.Request, entry pg.IdempotencyEntry) error {
	switch {
	case entry.Mismatch:
		return fault.New(fault.KeyMismatch, "This Idempotency-Key was used with another request before; use a new one")
	case entry.Status == 0:
		return &fault.Error{Kind: fault.KeyInProgress, RetryAfter: time.Second,
			Public: "The first request with this Idempotency-Key is still in progress"}
	case entry.Body == nil:
		return fault.New(fault.Conflict, "The answer to this request is gone, because a lead in it was erased")
	}
	var header map[string]string
	if err := json.Unmarshal(entry.Header, &header); err != nil {
		return fault.From(err)
	}
	h := w.Header()
	for name, value := range header {
		h.Set(name, value)
	}
	h.Set("Content-Length", strconv.Itoa(len(entry.Body)))
	h.Set("Idempotency-Replayed", "true")
	httpx.AddLogField(r, "replayed", true)
	w.WriteHeader(entry.Status)
	_, _ = w.Write(entry.Body) // a failed write means that the client has left
	return nil
}
