package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"leadgate/shared/client"
)

const (
	// pollEvery is how long after one look for new events the next one begins.
	pollEvery = time.Second
	// lateEvents is how much later than newer ones an event may appear: its time is from before its commit.
	lateEvents = 10 * time.Second
	// maxBehind is how many events are read at once, after the API was away for long.
	maxBehind = 100_000
)

// following reads the events of a workspace, each once and oldest first, whatever happens to the API meanwhile.
type following struct {
	api    *client.Client
	wanted func(eventType string) bool
	each   func(ctx context.Context, e client.Event) error

	hello string // said when everything that happens from then on will be passed on

	begun  bool
	newest time.Time       // of the events that are seen; zero: there was none
	seen   map[string]bool // events that a look may find again, by id
	away   bool            // the API, as far as it was said
}

// run follows until ctx ends. It returns what will not pass by waiting.
func (f *following) run(ctx context.Context, says io.Writer) error {
	for {
		wait := pollEvery
		err := f.look(ctx, says)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !client.Temporary(err):
			return err
		case err != nil:
			wait = max(wait, f.tellAway(err, says))
		case f.away:
			f.away = false
			fmt.Fprintln(says, "The API answers again.")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// tellAway says once that the API is away, and returns how long it asks to wait.
func (f *following) tellAway(err error, says io.Writer) (wait time.Duration) {
	if !f.away {
		fmt.Fprintf(says, "Waiting for the API: %v\n", err)
		f.away = true
	}
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.RetryAfter
	}
	return 0
}

// look handles what is new. What was not handled when it fails is new to the next look.
func (f *following) look(ctx context.Context, says io.Writer) error {
	found, err := f.find(ctx, says)
	if err != nil {
		return err
	}
	listed := make(map[string]bool, len(found))
	for _, e := range slices.Backward(found) {
		if f.begun && !f.seen[e.ID] && f.wanted(e.Type) {
			if err := f.handle(ctx, e); err != nil {
				return err
			}
		}
		f.remember(e)
		listed[e.ID] = true
	}
	f.seen = listed // the next look begins where this one did, or later
	if !f.begun {
		f.begun = true
		fmt.Fprint(says, f.hello)
	}
	return nil
}

// find returns the events that may be new, newest first. The first look only finds out what is there already.
func (f *following) find(ctx context.Context, says io.Writer) (all []client.Event, err error) {
	for cursor := ""; ; {
		p, err := f.api.ListEvents(ctx, f.since(), maxOfAPIPage, cursor)
		if err != nil {
			return nil, err
		}
		all, cursor = append(all, p.Data...), p.NextCursor
		if cursor == "" || !f.begun && f.enough(all) {
			return all, nil
		}
		if len(all) >= maxBehind {
			fmt.Fprintf(says, "There are more than %d new events; the oldest of them are left out.\n", maxBehind)
			return all, nil
		}
	}
}

// enough reports whether events, newest first, are all that could be taken for new ones later.
func (f *following) enough(all []client.Event) bool {
	return len(all) > 0 && all[len(all)-1].CreatedAt.Before(all[0].CreatedAt.Add(-lateEvents))
}

// since is when the oldest event was made that may still be new.
func (f *following) since() time.Time {
	if f.newest.IsZero() {
		return f.newest
	}
	return f.newest.Add(-lateEvents)
}

func (f *following) remember(e client.Event) {
	f.seen[e.ID] = true
	if e.CreatedAt.After(f.newest) {
		f.newest = e.CreatedAt
	}
}

// handle reads an event with its data and passes it on.
func (f *following) handle(ctx context.Context, e client.Event) error {
	full, err := f.api.GetEvent(ctx, e.ID)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil // it was erased meanwhile
	}
	if err != nil {
		return err
	}
	if len(full.Data) == 0 || string(full.Data) == "null" {
		return errors.New("the key may not read what events of leads hold: it needs the scope leads:read")
	}
	f.remember(e) // it is not passed on twice, whatever becomes of it
	return f.each(ctx, full)
}
