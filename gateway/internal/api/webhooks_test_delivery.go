package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Limits of tests, each of which keeps a request open and asks Postgres often.
const (
	maxTests  = 5                     // of a workspace, at a time and gateway
	allTests  = 200                   // of all workspaces together
	testSlack = 5 * time.Second       // beyond the endpoint's own timeout: for a worker to take it and to record it
	testPoll  = 50 * time.Millisecond // between looks
)

// testWebhook sends a webhook.test event to an endpoint, whatever state it is in, and answers the delivery with its one
// attempt: 200 when it was made, 202 when no worker came to it in time.
func (a *api) testWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p)
	if err != nil {
		return err
	}
	if err := readEmptyBody(w, r); err != nil {
		return err
	}
	done, err := a.tests.tryAcquire(p.Payer())
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), e.Timeout+testSlack+readTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	d, err := a.makeTest(r, e)
	if err != nil {
		return err
	}
	if d, err = a.awaitAttempt(r, d, e.Timeout+testSlack); err != nil {
		return err
	}
	d, attempts, err := a.DB.GetDeliveryAndAttempts(ctx, d.WorkspaceID, d.ID)
	if err != nil {
		return err
	}
	shown := showWhole(p, d, attempts)
	locate(w, "/api/v1/deliveries/", shown.ID)
	status := http.StatusAccepted
	if d.Attempts > 0 {
		status = http.StatusOK
	}
	return httpx.Data(w, status, shown)
}

// makeTest stores a test and asks a worker for it. When that cannot be heard the test is cancelled: it must not be sent
// when nobody expects it.
func (a *api) makeTest(r *http.Request, e webhook.Endpoint) (d webhook.Delivery, err error) {
	data, err := json.Marshal(struct {
		Message  string `json:"message"`
		Endpoint string `json:"endpointId"`
	}{"This is a test: your endpoint is reached and can verify the signature.", id.Endpoint.Format(e.ID)})
	if err != nil {
		return d, err
	}
	delivery, err := a.DB.CreateTestDelivery(r.Context(), e.WorkspaceID, e.ID, id.New(), data, a.now())
	if err != nil {
		return d, err
	}
	httpx.AddLogField(r, "endpoint", id.Endpoint.Format(e.ID))
	httpx.AddLogField(r, "delivery", id.Delivery.Format(delivery))
	if err := a.Waker.EnqueueTest(r.Context(), e.WorkspaceID, e.ID, delivery); err != nil {
		err = errors.Join(err, a.cancelTest(r.Context(), e.WorkspaceID, delivery))
		return d, &fault.Error{Kind: fault.Unavailable, Public: "Webhook tests are not available right now, please retry",
			RetryAfter: 5 * time.Second, Cause: err}
	}
	return webhook.Delivery{WorkspaceID: e.WorkspaceID, ID: delivery}, nil
}

func (a *api) cancelTest(ctx context.Context, workspace, delivery id.UUID) error {
	// its end may be why the worker was not asked
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	return a.DB.CancelTestDelivery(ctx, workspace, delivery)
}

// awaitAttempt returns a delivery when it was attempted, or as it is when patience is over.
func (a *api) awaitAttempt(r *http.Request, d webhook.Delivery, patience time.Duration) (webhook.Delivery, error) {
	enough := time.NewTimer(patience)
	defer enough.Stop()
	look := time.NewTicker(testPoll)
	defer look.Stop()
	for {
		over := false
		select {
		case <-enough.C:
			over = true
		case <-look.C:
		}
		found, err := a.DB.GetDelivery(r.Context(), d.WorkspaceID, d.ID)
		if err != nil || over || found.Attempts > 0 {
			return found, err
		}
	}
}
