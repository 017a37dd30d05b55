package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/client"
	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// How much another tenant does while it holds locks.
const (
	lockPosters = 48
	lockRows    = 1000 // of its import, for each second of the outage
)

const heldEmail = "held@example.com"

// holdLocks has another tenant do all that makes others wait for its emails: it holds one in an open transaction,
// imports a file with as many endpoints as there may be, and posts the emails of both. In the end the email that was
// held must be free.
func holdLocks(ctx context.Context, run *runner) error {
	other, err := run.newNeighbour(ctx)
	if err != nil {
		return err
	}
	const hold = `
insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
values ($1, $2, $3, $3, 'api', 'new', '{}', now(), now())`
	tx, err := run.db.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("hold an email: %w", err)
	}
	defer tx.Rollback() // after the one below this does nothing
	if _, err := tx.ExecContext(ctx, hold, other.Workspace, id.New(), heldEmail); err != nil {
		return fmt.Errorf("hold an email: %w", err)
	}
	err = run.during(func() error {
		rows := int(float64(lockRows) * run.outage.Seconds())
		file, to := io.Pipe()
		defer file.Close()
		go importedFile{rows}.write(to)
		api := client.New(client.Options{URL: run.URL, Key: other.Key})
		if _, err := api.UploadImport(ctx, file, -1, client.ImportOptions{}); err != nil {
			return fmt.Errorf("send the file: %w", err)
		}
		if err := run.postHeld(ctx, other.Key, rows); err != nil {
			return err
		}
		return tx.Rollback()
	})
	if err != nil {
		return err
	}
	return run.postFreed(ctx, other.Key)
}

// newNeighbour makes another tenant, with as many endpoints as there may be. They are disabled: what counts is that
// each lead is written with a delivery for each.
func (run *runner) newNeighbour(ctx context.Context) (loadgen.Tenant, error) {
	t, err := loadgen.NewTenant(ctx, run.db, "Neighbour")
	if err != nil {
		return t, err
	}
	for range webhook.MaxEndpoints {
		e := webhook.Endpoint{URL: "https://example.com/", EventTypes: []string{"lead.*"}}
		if _, err := loadgen.NewEndpoint(ctx, run.db, t.Workspace, e); err != nil {
			return t, err
		}
	}
	_, err = run.db.ExecContext(ctx, `update endpoints set enabled = false where workspace_id = $1`, t.Workspace)
	return t, err
}

// postHeld posts the email that is held, and those of the import, until the outage is over. Each is answered 201, 409
// or 503.
func (run *runner) postHeld(ctx context.Context, key string, rows int) error {
	var g errgroup.Group
	until := time.Now().Add(run.outage)
	for n := range lockPosters {
		g.Go(func() error {
			random := run.random(n)
			c, err := loadgen.Dial(strings.TrimPrefix(run.URL, "http://"))
			if err != nil {
				return err
			}
			defer c.Close()
			for row := n; time.Now().Before(until); row += lockPosters {
				email := heldEmail
				if row%2 == 1 {
					email = fmt.Sprintf("p%d@example.com", 1+row%rows)
				}
				got, err := c.Post("/api/v1/leads", key, loadgen.AppendLead(nil, email))
				if err != nil {
					return fmt.Errorf("post a held email: %w", err)
				}
				switch got.Status {
				case http.StatusCreated, http.StatusConflict:
				case http.StatusServiceUnavailable: // so that they do not all come in one batch, and spare the others
					pause(ctx, time.Duration(random.IntN(300))*time.Millisecond)
				default:
					return fmt.Errorf("a held email was answered %d", got.Status)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// postFreed posts the email that is held no longer: it becomes a lead, unless a post that waited for it was first.
func (run *runner) postFreed(ctx context.Context, key string) error {
	c, err := loadgen.Dial(strings.TrimPrefix(run.URL, "http://"))
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := c.Post("/api/v1/leads", key, loadgen.AppendLead(nil, heldEmail))
	if err != nil {
		return err
	}
	lead, err := got.Lead()
	if err != nil {
		return err
	}
	shown, err := c.Get("/api/v1/leads/"+lead, key)
	if err != nil {
		return err
	}
	if got.Status != http.StatusCreated && got.Status != http.StatusConflict || shown.Status != http.StatusOK {
		return fmt.Errorf("the freed email was answered %d, and its lead %q %d", got.Status, lead, shown.Status)
	}
	return nil
}
