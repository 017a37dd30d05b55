package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// once makes a request with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) happen once. Whoever sends it again gets the answer
// of the first, octet by octet. Postgres has the keys, so that neither a lost Redis nor a killed process forgets one:
//
//	limit --> claim the key --> new: do it, keep the answer, then send it
//	                        \-> answered: send that again     being worked on: 409     another request: 422
//
// A claim that nobody settled for 30 s changes hands. What is made then has the same id, so that it is found to be there when it is.
// Answers that a repetition could change for the better are not kept: 5xx, 408, 429, and those that hang on what is in no hash of the
// request: the key (401, 403), what there is (404), the head (405, 413, 415).
func (a *api) once(do operation, maxBytes int64, gated bool) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		key, given, wrong := idempotencyKey(r.Header)
		if !given {
			return do(w, r, p)
		}
		mine := &claim{}
		if gated {
			var err error
			if mine.verdict, err = a.admit(w, r, p); err != nil {
				return err
			}
		}
		if wrong != nil {
			return wrong
		}
		body, err := httpx.ReadBody(w, r, maxBytes)
		if err != nil {
			return err
		}
		asked := pg.IdempotentRequest{Workspace: p.WorkspaceID, Key: sha256.Sum256([]byte(key)), Request: requestHash(r, body, p.May(tenant.LeadsRead)), ID: id.New()}
		ctx, cancel := context.WithTimeout(r.Context(), claimTimeout)
		defer cancel()
		c, err := a.Intake.Claim(ctx, asked)
		if err != nil {
			return err
		}
		if !c.Acquired {
			return repeat(w, r, c)
		}
		mine.id = c.ID
		return a.first(w, r.WithContext(context.WithValue(r.Context(), claimKey{}, mine)), p, do, asked, c)
	}
}

// Limits of what has to do with keys.
const (
	claimTimeout = 4 * time.Second // to claim, and to keep an answer
	maxKey       = 255             // characters
)

// claim is what a request with an Idempotency-Key carries with it.
type claim struct {
	verdict limit.Decision // of the rate limit, which a gated route need not ask again
	id      id.UUID        // of what it makes
	partly  bool           // set by who answers: a repetition could do what is left
	leads   []id.UUID      // set by who answers: others than id of which the answer tells something
}

// leadPath is what the Location of a lead begins with.
const leadPath = "/api/v1/leads/"

type claimKey struct{}

// claimOf returns the claim of a request; nil: it has no key.
func claimOf(r *http.Request) *claim {
	c, _ := r.Context().Value(claimKey{}).(*claim)
	return c
}

// keyed is q with what r's claim says, if it has one.
func keyed(r *http.Request, q intake.Request) intake.Request {
	if c := claimOf(r); c != nil {
		q.ID, q.Admitted = c.id, &c.verdict
	}
	return q
}

// first does what a request is the first to ask for, keeps the answer and sends it.
func (a *api) first(w http.ResponseWriter, r *http.Request, p *tenant.Principal, do operation, asked pg.IdempotentRequest, c pg.IdempotencyEntry) error {
	end := pg.IdempotentAnswer{Workspace: asked.Workspace, Key: asked.Key, ID: c.ID, AcquiredAt: c.AcquiredAt}
	settle := func(end pg.IdempotentAnswer) (bool, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), claimTimeout)
		defer cancel()
		return a.Intake.Settle(ctx, end)
	}
	said := &keptAnswer{ResponseWriter: w}
	whole := false
	defer func() {
		if !whole { // a panic: a retry need not wait
			_, _ = settle(end)
		}
	}()
	mine := claimOf(r)
	if err := do(said, r, p); err != nil {
		if holder, ok := intake.Holder(err); ok {
			mine.leads = append(mine.leads, holder)
		}
		httpx.Fail(said, r, err)
	}
	if l, err := id.Lead.Parse(strings.TrimPrefix(w.Header().Get("Location"), leadPath)); err == nil && l != c.ID {
		mine.leads = append(mine.leads, l)
	}
	whole = true
	if !worthKeeping(said.status) || mine.partly {
		_, _ = settle(end) // else the claim lapses
		said.send()
		return nil
	}
	end.Status, end.Header, end.Body, end.Leads = said.status, keptHeader(w.Header()), said.body, mine.leads
	kept, err := settle(end)
	if err == nil && kept {
		said.send()
		return nil
	}
	for _, name := range keptHeaders { // of an answer that is not to be sent
		w.Header().Del(name)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), claimTimeout)
	defer cancel()
	if c, err = a.DB.ReadIdempotencyEntry(ctx, asked); err != nil { // somebody who took over was faster
		return err
	}
	return repeat(w, r, c)
}

// repeat answers a request that is not the first with its key.
func repeat(w http.ResponseWriter, r *http.Request, c pg.IdempotencyEntry) error {
	switch {
	case c.Mismatch:
		return fault.New(fault.KeyMismatch, "This Idempotency-Key came with another request before")
	case c.Status == 0:
		return &fault.Error{Kind: fault.KeyInProgress, Public: "The first request with this Idempotency-Key is still being worked on", RetryAfter: time.Second}
	case c.Body == nil:
		return fault.New(fault.Conflict, "A lead that the answer to this request told of was erased")
	}
	var header map[string]string
	if err := json.Unmarshal(c.Header, &header); err != nil {
		return fault.From(err)
	}
	h := w.Header()
	for name, value := range header {
		h.Set(name, value)
	}
	h.Set("Content-Length", strconv.Itoa(len(c.Body)))
	h.Set("Idempotency-Replayed", "true")
	httpx.AddLogField(r, "replayed", true)
	w.WriteHeader(c.Status)
	_, _ = w.Write(c.Body) // a failed write means the client has left
	return nil
}

// worthKeeping tells whether a repetition is to get the answer again.
func worthKeeping(status int) bool {
	switch status {
	case 0, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests:
		return false
	}
	return status < http.StatusInternalServerError
}

// keptHeaders are the header fields that belong to an answer and not to one sending of it.
var keptHeaders = [...]string{"Content-Type", "Location", "Etag"}

func keptHeader(h http.Header) []byte {
	kept := map[string]string{}
	for _, name := range keptHeaders {
		if v := h.Get(name); v != "" {
			kept[name] = v
		}
	}
	b, _ := json.Marshal(kept) // strings never fail
	return b
}

// keptAnswer holds an answer back until it is kept.
type keptAnswer struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 && status >= 200 {
		k.status = status
	}
}

func (k *keptAnswer) Write(b []byte) (int, error) {
	if k.status == 0 {
		k.status = http.StatusOK
	}
	k.body = append(k.body, b...)
	return len(b), nil
}

func (k *keptAnswer) send() {
	if k.status == 0 {
		return
	}
	k.ResponseWriter.WriteHeader(k.status)
	_, _ = k.ResponseWriter.Write(k.body) // a failed write means the client has left
}

// requestHash is the same for requests that ask for the same. Who may not read leads asks for another, shorter answer.
func requestHash(r *http.Request, body []byte, reads bool) (sum [32]byte) {
	h := sha256.New()
	for _, part := range [...]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	if !reads {
		h.Write([]byte("blind\x00"))
	}
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

var errKey = errors.New("malformed Idempotency-Key")

// idempotencyKey reads the header field: a string of RFC 9651 between quotes, as the draft has it, or the bare key, as most clients send it.
func idempotencyKey(h http.Header) (key string, given bool, err error) {
	all := h["Idempotency-Key"]
	if len(all) == 0 {
		return "", false, nil
	}
	key = all[0]
	if strings.HasPrefix(key, `"`) {
		key, err = unquoteKey(key)
	}
	if err != nil || len(all) > 1 || len(key) == 0 || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return "", true, fault.InvalidField("Idempotency-Key", fault.Truncate(strings.ToValidUTF8(all[0], "?")), "Must be given once and be 1 to "+strconv.Itoa(maxKey)+" visible ASCII characters, with or without double quotes around them")
	}
	return key, true, nil
}

// unquoteKey reads what stands between double quotes, in which a backslash stands before each of them and of itself.
func unquoteKey(quoted string) (string, error) {
	var b strings.Builder
	for i := 1; i < len(quoted); i++ {
		switch c := quoted[i]; c {
		case '"':
			if i != len(quoted)-1 {
				return "", errKey
			}
			return b.String(), nil
		case '\\':
			if i++; i == len(quoted) || quoted[i] != '"' && quoted[i] != '\\' {
				return "", errKey
			}
			b.WriteByte(quoted[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", errKey
}
