package timeline

import (
	"fmt"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// Cause is why a delivery has not arrived.
type Cause string

// The causes.
const (
	Due             Cause = "due"              // it is to be sent, at At or soon
	Retrying        Cause = "retrying"         // its last attempt failed
	EndpointFailing Cause = "endpoint_failing" // one delivery is tried at At; the others wait for that
	Rate            Cause = "rate"             // its endpoint takes no more for the moment
	Order           Cause = "order"            // earlier deliveries to its endpoint come first
	Sending         Cause = "sending"          // it is being sent, or one that was leased with it
	Queued          Cause = "queued"           // it is due since At, and no worker has come to it
	Disabled        Cause = "endpoint_disabled"
	WasDisabled     Cause = "endpoint_was_disabled" // it stays held until somebody sends it again
	GivenUp         Cause = "given_up"
	Deleted         Cause = "endpoint_deleted"
)

// Undelivered says why a delivery has not arrived, as facts.
type Undelivered struct {
	Cause    Cause
	Next     Cause      // of Retrying: what the next attempt waits for; one of Due, Rate, Order, Sending, Queued
	At       *time.Time // when it goes on, or since when it does not; nil: nobody knows
	Error    string     // of the last attempt; of EndpointFailing, of its endpoint's
	Reason   string     // of Disabled: one of webhook.DisabledByOwner and its like
	Endpoint EndpointIs
}

// EndpointIs is whether an endpoint can be sent to.
type EndpointIs string

// What an endpoint can be.
const (
	EndpointEnabled  EndpointIs = "enabled"
	EndpointDisabled EndpointIs = "disabled"
	EndpointDeleted  EndpointIs = "deleted"
)

// whyUndelivered returns why a delivery has not arrived; nil: it has.
func whyUndelivered(d *webhook.Delivery, e *pg.TimelineEndpoint, now time.Time) *Undelivered {
	u := &Undelivered{Endpoint: EndpointEnabled}
	switch {
	case e.Deleted:
		u.Endpoint = EndpointDeleted
	case !e.Enabled:
		u.Endpoint = EndpointDisabled
	}
	switch d.State {
	case webhook.Pending:
		u.wait(d, e, now)
	case webhook.Held:
		u.Cause = WasDisabled
		if !e.Enabled {
			u.Cause = Disabled
			if e.Disabled != nil {
				u.At, u.Reason = &e.Disabled.At, e.Disabled.Reason
			}
		}
	case webhook.Cancelled:
		u.Cause = Deleted
	case webhook.Exhausted:
		u.Cause, u.Error = GivenUp, d.LastError
	default:
		return nil
	}
	return u
}

// wait says what a pending delivery waits for.
func (u *Undelivered) wait(d *webhook.Delivery, e *pg.TimelineEndpoint, now time.Time) {
	if h := &e.Health; h.Open() {
		u.Cause, u.At, u.Error = EndpointFailing, h.ProbeAt, h.LastError
		return
	}
	u.Cause, u.At = waitsFor(d, e, now)
	if d.LastError != "" {
		u.Cause, u.Next, u.Error = Retrying, u.Cause, d.LastError
	}
}

// waitsFor returns what keeps a pending delivery, though its endpoint takes deliveries.
func waitsFor(d *webhook.Delivery, e *pg.TimelineEndpoint, now time.Time) (c Cause, at *time.Time) {
	switch {
	case d.NextAt == nil || d.NextAt.After(now):
		return Due, d.NextAt
	case e.Rate > 0 && e.PacedUntil != nil && e.PacedUntil.After(now):
		return Rate, e.PacedUntil
	case e.FirstAt != nil && e.First != d.ID && !e.FirstAt.After(*d.NextAt):
		return Order, nil
	case e.LeaseUntil != nil && e.LeaseUntil.After(now):
		return Sending, nil
	}
	return Queued, d.NextAt
}

// note says in words why a delivery has not arrived, and what comes next or can be done; "" when it has arrived.
func (u *Undelivered) note(d *webhook.Delivery, e *pg.TimelineEndpoint) string {
	if u == nil {
		return ""
	}
	switch u.Cause {
	case EndpointFailing:
		if e.Ordered() {
			return fmt.Sprintf("waiting in order, the endpoint is failing (%s), next attempt at %s", failure(u.Error, e),
				stamp(*u.At))
		}
		return fmt.Sprintf("waiting, the endpoint is failing (%s), next probe with one delivery at %s",
			failure(u.Error, e), stamp(*u.At))
	case Retrying:
		attempts, next := count(d.Attempts, "attempt"), u.whenSent(u.Next, e)
		return fmt.Sprintf("%s failed, the last with %s, next attempt %s", attempts, failure(u.Error, e), next)
	case Disabled, WasDisabled:
		return u.noteOfHeld()
	case Deleted:
		return "cancelled because the endpoint was deleted"
	case GivenUp:
		return fmt.Sprintf("given up after %s, the last failed with %s; %s", count(d.Attempts, "attempt"),
			failure(u.Error, e), u.howToResend(d))
	}
	return u.whenSent(u.Cause, e)
}

// whenSent says when a pending delivery is sent, or what keeps it although it is due.
func (u *Undelivered) whenSent(c Cause, e *pg.TimelineEndpoint) string {
	switch {
	case c == Rate:
		return fmt.Sprintf("waiting for the rate of the endpoint, at most %d/s", e.Rate)
	case c == Order:
		return "waiting for earlier deliveries to this endpoint"
	case c == Sending:
		return "being sent now"
	case c == Queued:
		return "due since " + stamp(*u.At) + ", no worker has picked it up yet"
	case u.At != nil:
		return "due at " + stamp(*u.At)
	}
	return "due soon"
}

func (u *Undelivered) noteOfHeld() string {
	if u.Cause == WasDisabled {
		return "held while the endpoint was disabled, and not sent since; resend it or make a replay"
	}
	text := "held, the endpoint is disabled"
	if u.At != nil {
		text += " since " + stamp(*u.At)
		switch u.Reason {
		case webhook.DisabledByOwner:
			text += " by its owner"
		case webhook.DisabledFailing:
			text += " because every attempt failed"
		case webhook.DisabledGone:
			text += " because it answered 410"
		}
	}
	return text + "; enable it with deliverHeld to send what is held"
}

// howToResend says how a delivery can be sent again.
func (u *Undelivered) howToResend(d *webhook.Delivery) string {
	resend := "POST /api/v1/deliveries/" + id.Delivery.Format(d.ID) + "/resend"
	switch u.Endpoint {
	case EndpointDeleted:
		return "the endpoint was deleted, so it cannot be sent again"
	case EndpointDisabled:
		return "the endpoint is disabled: enable it, then send it again with " + resend
	}
	return "send it again with " + resend
}

// failure says in few words how an attempt failed, without the address of the endpoint.
func failure(text string, e *pg.TimelineEndpoint) string {
	host := webhook.Host(e.URL)
	if text == "" || host == "" {
		return "an unknown error"
	}
	return webhook.Reason(text, host)
}
