package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
)

// rewinds are the scenarios in which a store comes back as it was some time ago: a replica that lagged took over, or an
// older file was restored.
func rewinds() []scenario {
	return []scenario{
		{name: "redis-rewind", short: true, freezes: true, whole: rewinding(rewindRedis),
			what: "Redis comes back as it was before leads were created, deleted, erased and moved to other emails"},
		{name: "postgres-rewind", whole: rewinding(rewindPostgres),
			what: "Postgres comes back as it was before leads were created, deleted, erased and moved, and Redis knows them"},
	}
}

// rewindFunc has a store go back to what it was before between.
type rewindFunc func(ctx context.Context, run *runner, r *rewound, between func() error) error

func rewinding(rewind rewindFunc) func(context.Context, *runner) (string, error) {
	return func(ctx context.Context, run *runner) (string, error) {
		r, err := run.runRewind(ctx, rewind)
		return r.String(), err
	}
}

// rewound is the numbers of a rewind, and its ledger: which lead has an email, by what the API answered.
type rewound struct {
	outage
	client *http.Client
	url    string
	key    string

	mu         sync.Mutex
	holders    map[string]string // email -> lead; "": nobody has it
	moved      int               // leads that went to emails nobody posts
	created    int
	duplicates int
	retried    int // posts that were answered 503 first
	violations []error
}

func (r *rewound) String() string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("  %d emails: 201 %d  409 %d, of which %d after a 503; broken for %v\n", len(r.holders), r.created,
		r.duplicates, r.retried, ms(r.until.Sub(r.from)))
}

// runRewind makes leads, has the store keep a copy of what it has, makes more and takes the emails of most of the first
// away, rewinds the store, and posts every email twice: first it must be told the truth, and then that it is there.
func (run *runner) runRewind(ctx context.Context, rewind rewindFunc) (*rewound, error) {
	defer run.loaded()
	r := &rewound{client: &http.Client{Timeout: loadgen.Timeout}, url: run.URL, key: run.Key, holders: map[string]string{}}
	defer r.client.CloseIdleConnections()
	early, late := run.emails("early"), run.emails("late")
	if err := r.all(ctx, early, r.post); err != nil {
		return r, err
	}
	err := rewind(ctx, run, r, func() error {
		if err := r.all(ctx, early, r.giveUp); err != nil {
			return err
		}
		return r.all(ctx, late, r.post)
	})
	r.outage = run.was
	if err != nil {
		return r, err
	}
	for range 2 {
		if err := r.all(ctx, slices.Concat(early, late), r.post); err != nil {
			return r, err
		}
	}
	return r, run.checkRewind(ctx, r)
}

// emails are as many as are posted in a second.
func (run *runner) emails(kind string) []string {
	all := make([]string, run.rate)
	for n := range all {
		all[n] = fmt.Sprintf("%s.%d@example.com", kind, n)
	}
	return all
}

// rewindRedis takes Redis' last writes away; Postgres, and so the ledger, has them.
func rewindRedis(ctx context.Context, run *runner, _ *rewound, between func() error) error {
	return run.rewindStore(ctx, "redis", run.Redis, between)
}

// rewindPostgres takes Postgres' last writes away, and with them what the ledger has of them.
func rewindPostgres(ctx context.Context, run *runner, r *rewound, between func() error) error {
	kept := maps.Clone(r.holders)
	err := run.rewindStore(ctx, "postgres", run.Postgres, between)
	for email := range r.holders {
		r.holders[email] = kept[email]
	}
	r.moved = 0
	return err
}

// rewindStore has a store keep what it has, and go back to that after between.
func (run *runner) rewindStore(ctx context.Context, name string, store interface {
	Start(context.Context) error
	Stop() error
	Kill() error
}, between func() error) error {
	err := store.Stop()
	if err == nil {
		err = run.KeepStore(name)
	}
	if err == nil {
		err = store.Start(ctx)
	}
	if err == nil {
		err = between()
	}
	if err != nil {
		return err
	}
	return run.during(func() error {
		if err := store.Kill(); err != nil {
			return err
		}
		if err := run.RewindStore(name); err != nil {
			return err
		}
		return store.Start(ctx)
	})
}

// all does something with each email, several at a time; n is its number.
func (r *rewound) all(
	ctx context.Context, emails []string, do func(ctx context.Context, n int, email string) error,
) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for n, email := range emails {
		g.Go(func() error { return do(ctx, n, email) })
	}
	return g.Wait()
}

// post posts an email and checks the answer against what is known of it.
func (r *rewound) post(ctx context.Context, _ int, email string) error {
	got, again, err := r.ask(ctx, http.MethodPost, "", loadgen.AppendLead(nil, email))
	if err != nil {
		return err
	}
	var shown answered
	if got.status == http.StatusConflict {
		if shown, _, err = r.ask(ctx, http.MethodGet, "/"+got.lead, nil); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if again {
		r.retried++
	}
	holder := r.holders[email]
	switch {
	case got.status == http.StatusCreated && holder == "":
		r.created++
		r.holders[email] = got.lead
	case got.status == http.StatusConflict && (got.lead == holder || holder == "" && again): // a 503's lead may be there
		r.duplicates++
		r.holders[email] = got.lead
		if shown.status != http.StatusOK || emailKey(shown.email) != email {
			r.violated("409 named %s for %s, but GET answered %d with %q", got.lead, email, shown.status, shown.email)
		}
	default:
		r.violated("POST of %s, which %q has, was answered %d with lead %q, which GET answers with %d", email, holder,
			got.status, got.lead, shown.status)
		if got.status == http.StatusCreated {
			r.holders[email] = got.lead
		}
	}
	return nil
}

func (r *rewound) violated(format string, args ...any) {
	r.violations = append(r.violations, fmt.Errorf(format, args...))
}

// giveUp takes the email from its lead, in one of three ways; of one in four it leaves it alone.
func (r *rewound) giveUp(ctx context.Context, n int, email string) error {
	r.mu.Lock()
	path := "/" + r.holders[email]
	r.mu.Unlock()
	method, body := http.MethodDelete, []byte(nil)
	switch n % 4 {
	case 0:
		return nil
	case 1:
		path += "?erase=true"
	case 2:
		method, body = http.MethodPatch, []byte(`{"email":"moved.`+email+`"}`)
	}
	got, again, err := r.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	if got.status/100 != 2 && !(again && got.status == http.StatusNotFound) { // a 503's change may have been made
		return fmt.Errorf("%s of the lead of %s was answered %d", method, email, got.status)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders[email] = ""
	if method == http.MethodPatch {
		r.moved++
	}
	return nil
}

// answered is an answer about a lead.
type answered struct {
	status      int
	lead, email string
}

// ask sends a request about leads, again while it is answered 503.
func (r *rewound) ask(ctx context.Context, method, path string, body []byte) (a answered, again bool, err error) {
	for until := time.Now().Add(takeover); ; again = true {
		if a, err = r.once(ctx, method, path, body); err != nil || a.status != http.StatusServiceUnavailable {
			return a, again, err
		}
		if time.Now().After(until) || !pause(ctx, 50*time.Millisecond) {
			return a, again, errors.New("503 for too long")
		}
	}
}

func (r *rewound) once(ctx context.Context, method, path string, body []byte) (a answered, err error) {
	req, err := http.NewRequestWithContext(ctx, method, r.url+"/api/v1/leads"+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	a.status = res.StatusCode
	if a.status == http.StatusNoContent {
		return a, nil
	}
	var shown struct {
		Data    struct{ ID, Email string }
		Details struct{ ExistingLeadID string }
	}
	err = json.NewDecoder(res.Body).Decode(&shown)
	a.lead, a.email = shown.Data.ID+shown.Details.ExistingLeadID, shown.Data.Email
	return a, err
}

// checkRewind compares the ledger with the leads in Postgres.
func (run *runner) checkRewind(ctx context.Context, r *rewound) error {
	var rows []struct {
		ID       id.UUID `db:"id"`
		EmailKey string  `db:"email_key"`
	}
	const q = `select id, email_key from leads where deleted_at is null`
	if err := run.db.SelectContext(ctx, &rows, q); err != nil {
		return fmt.Errorf("read leads: %w", err)
	}
	moved, had := 0, map[string]bool{}
	for _, row := range rows {
		switch lead := id.Lead.Format(row.ID); {
		case strings.HasPrefix(row.EmailKey, "moved."):
			moved++
		case r.holders[row.EmailKey] != lead:
			r.violated("%s has %s in Postgres, but the API named %q", lead, row.EmailKey, r.holders[row.EmailKey])
		default:
			had[row.EmailKey] = true
		}
	}
	for email, lead := range r.holders {
		if lead == "" || !had[email] {
			r.violated("the API named %q for %s, but Postgres has no such lead", lead, email)
		}
	}
	if moved != r.moved {
		r.violated("%d leads were moved to another email, but Postgres has %d of them", r.moved, moved)
	}
	select {
	case how := <-run.Exited():
		r.violated("what nobody killed ended: %w", how)
	default:
	}
	return joinFirst(r.violations)
}
