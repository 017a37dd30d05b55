package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/client"
	"leadgate/shared/webhook"
)

// changes are the scenarios in which leads are changed.
func changes() []scenario {
	return []scenario{
		{name: "order", what: "requests change the same leads at once through two gateways, for an endpoint that takes one webhook at a time",
			gateways: 2, short: true, whole: changeAtOnce},
	}
}

const (
	changedLeads = 6
	changers     = 24   // requests at once
	maxChanges   = 3000 // each is a webhook, and these go one at a time
)

// follower is a subscriber that believes what it was told last.
type follower struct {
	*httptest.Server
	mu       sync.Mutex
	leads    map[string]leadState
	arrived  int
	backward []string // webhooks that told of an older state than the one before
}

// leadState is what an event tells of a lead.
type leadState struct {
	ID         string
	Name       string
	UpdatedAt  time.Time
	Enrichment json.RawMessage
}

func newFollower() *follower {
	f := &follower{leads: map[string]leadState{}}
	f.Server = httptest.NewServer(f)
	return f
}

// ServeHTTP takes one webhook.
func (f *follower) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Type string
		Data leadState
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrived++
	if former := f.leads[event.Data.ID]; event.Data.UpdatedAt.Before(former.UpdatedAt) {
		f.backward = append(f.backward, fmt.Sprintf("%s of %s: name %q after %q", event.Type, event.Data.ID, event.Data.Name,
			former.Name))
	}
	f.leads[event.Data.ID] = event.Data
}

// changeAtOnce changes leads by many requests at once, and then checks that the subscriber ends with what GET shows.
func changeAtOnce(ctx context.Context, run *runner) (report string, err error) {
	f := newFollower()
	defer f.Close()
	api := run.api()
	_, err = api.CreateWebhook(ctx, client.NewWebhook{URL: f.URL, EventTypes: []string{"lead.*"}, MaxInFlight: 1})
	if err != nil {
		return "", fmt.Errorf("subscribe: %w", err)
	}
	var leads []string
	for i := range changedLeads {
		made, err := api.CreateLead(ctx, client.NewLead{Email: fmt.Sprintf("order.%d@example.com", i)},
			client.CreateOptions{ChatbotID: run.ChatbotID})
		if err != nil {
			return "", fmt.Errorf("create a lead: %w", err)
		}
		leads = append(leads, made.ID)
	}
	n, err := run.changeAll(ctx, leads)
	run.loaded()
	if err != nil {
		return "", err
	}
	if err := run.awaitNothingDue(ctx); err != nil {
		return "", err
	}
	report = fmt.Sprintf("  %d changes of %d leads by %d requests at once; %d webhooks, one at a time\n", n, len(leads),
		changers, f.arrived)
	return report, f.check(ctx, api, leads)
}

// changeAll changes leads for as long as the load lasts, and returns how often.
func (run *runner) changeAll(ctx context.Context, leads []string) (changes int64, err error) {
	work, wctx := errgroup.WithContext(ctx)
	var n atomic.Int64
	end := time.Now().Add(run.duration)
	for c := range changers {
		work.Go(func() error {
			for time.Now().Before(end) {
				i := n.Add(1)
				if i > maxChanges {
					return nil
				}
				status, err := run.rename(wctx, run.URLs[c%len(run.URLs)], leads[i%int64(len(leads))], strconv.FormatInt(i, 10))
				switch {
				case err != nil:
					return err
				case status == http.StatusTooManyRequests:
					pause(wctx, 50*time.Millisecond)
				case status != http.StatusOK:
					return fmt.Errorf("PATCH: %d, want 200", status)
				}
			}
			return nil
		})
	}
	err = work.Wait()
	return min(n.Load(), maxChanges), err
}

// rename gives a lead a name.
func (run *runner) rename(ctx context.Context, gateway, lead, name string) (status int, err error) {
	body := strings.NewReader(fmt.Sprintf(`{"name":%q}`, name))
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, gateway+"/api/v1/leads/"+lead, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+run.Key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// awaitNothingDue waits until no lead is to be enriched and no delivery is pending.
func (run *runner) awaitNothingDue(ctx context.Context) error {
	const q = `
select (select count(*) from enrichments where due_at is not null) + (select count(*) from enrichment_queue)
     + (select count(*) from deliveries where state = '` + string(webhook.Pending) + `')`
	ctx, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	for left := -1; left != 0; pause(ctx, 100*time.Millisecond) {
		if err := run.db.GetContext(ctx, &left, q); err != nil {
			return fmt.Errorf("%d are left to enrich or deliver: %w", left, err)
		}
	}
	return nil
}

// check returns what the subscriber believes of leads and is not so.
func (f *follower) check(ctx context.Context, api *client.Client, leads []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var wrong []error
	for _, text := range f.backward {
		wrong = append(wrong, errors.New(text))
	}
	for _, lead := range leads {
		is, err := api.GetLead(ctx, lead)
		if err != nil {
			return err
		}
		if told := f.leads[lead]; is.Name == nil || told.Name != *is.Name || string(told.Enrichment) != string(is.Enrichment) {
			wrong = append(wrong, fmt.Errorf("the subscriber was told last that lead %s has the name %q, which it has not", lead,
				told.Name))
		}
	}
	return joinFirst(wrong)
}
