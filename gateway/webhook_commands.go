package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/config"
	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

type webhookCommand struct {
	Listen listenToEvents `cmd:"" help:"Print each event as it comes, and post it to a URL of yours, signed as a webhook."`
}

// listenToEvents brings a workspace's events to a program that leadgate cannot reach, such as one on a laptop.
type listenToEvents struct {
	access  `set:"scopes=webhooks:manage and leads:read"`
	Forward string        `name:"forward" placeholder:"URL" help:"Post each event there, such as http://127.0.0.1:3000/hook."`
	Secret  config.Secret `name:"secret" from:"LEADGATE_WEBHOOK_SECRET" placeholder:"whsec_..." help:"Sign with this secret. The default is a new one, which is printed."`
	Events  []string      `name:"events" default:"lead.*,endpoint.*" help:"Only events of these types."`
	JSON    bool          `name:"json" help:"Print what is sent of each event, on a line of its own."`
}

// Check says everything that is wrong with what the API cannot say.
func (l *listenToEvents) Check() []error {
	mistakes := l.access.Check()
	if l.Forward != "" {
		mistakes = append(mistakes, checkURL("forward", l.Forward)...)
	}
	if l.Secret != "" {
		if wrong := webhook.CheckSecret(l.Secret.Reveal()); wrong != "" {
			mistakes = append(mistakes, config.Invalid("secret", "%s", wrong))
		}
	}
	known := slices.Concat(webhook.EventGroups(), webhook.EventTypes(), []string{webhook.WebhookTest})
	for _, one := range l.Events {
		if !slices.Contains(known, one) {
			mistakes = append(mistakes, config.Invalid("events", "must be of %s, not %q", strings.Join(known, ", "), one))
		}
	}
	return mistakes
}

func (l *listenToEvents) run(ctx context.Context, waits client.Options, out, says io.Writer) error {
	api := l.client(waits)
	defer api.Close()
	to := &forwarding{endpoint: webhook.Endpoint{URL: l.Forward, Secret: l.Secret.Reveal()}, json: l.JSON, out: out,
		client: http.Client{Timeout: webhook.DefaultTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a worker follows none either
		}}}
	hello := fmt.Sprintf("Listening to the events of %s; Ctrl+C ends.\n", l.URL)
	if l.Forward != "" {
		hello += fmt.Sprintf("Each is posted to %s once, whatever it answers.\n", l.Forward)
		if to.endpoint.Secret == "" {
			to.endpoint.Secret = webhook.NewSecret()
			hello += fmt.Sprintf("The secret to verify signatures with: %s\n", to.endpoint.Secret)
		}
	}
	f := &following{api: api, seen: map[string]bool{}, wanted: l.wants, each: to.take, hello: hello}
	return f.run(ctx, says)
}

// wants reports whether events of a type are asked for.
func (l *listenToEvents) wants(eventType string) bool {
	return slices.ContainsFunc(l.Events, func(one string) bool {
		group, is := strings.CutSuffix(one, "*")
		return one == eventType || is && strings.HasPrefix(eventType, group)
	})
}

// forwarding prints events, and posts them where that is wanted.
type forwarding struct {
	endpoint webhook.Endpoint // its URL is "" where events are only printed
	client   http.Client
	json     bool
	out      io.Writer
}

// take takes one event. Its payload and headers are those of a worker.
func (f *forwarding) take(ctx context.Context, e client.Event) error {
	event, err := id.Event.Parse(e.ID)
	if err != nil {
		return fmt.Errorf("the API's answer cannot be read: event %q: %w", e.ID, err)
	}
	due := webhook.DueDelivery{EventID: event, EventType: e.Type, EventAt: e.CreatedAt, Data: e.Data}
	body := due.AppendPayload(nil, webhook.PayloadFull)
	result := ""
	if f.endpoint.URL != "" {
		result, err = f.post(ctx, e.ID, body)
		if ctx.Err() != nil {
			return nil // how it went is not known
		}
		if err != nil {
			result = err.Error()
		}
		result = " -> " + result
	}
	if f.json {
		_, err = fmt.Fprintf(f.out, "%s\n", body)
		return err
	}
	var about struct{ ID, Email string }
	_ = json.Unmarshal(e.Data, &about) // what it does not have is not printed
	_, err = fmt.Fprintf(f.out, "%s %s %s %s%s\n", e.CreatedAt.Local().Format("15:04:05"), e.Type, e.ID,
		printable(cmp.Or(about.Email, about.ID)), result)
	return err
}

// post sends an event, and returns the status and how long it took.
func (f *forwarding) post(ctx context.Context, event string, body []byte) (string, error) {
	at := time.Now()
	header, err := webhook.Header(&f.endpoint, event, at, body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.endpoint.URL, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header = header
	res, err := f.client.Do(req)
	if err != nil {
		return "", errors.Unwrap(err) // without the URL, which is the same each time
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	return fmt.Sprintf("%s in %d ms", printable(res.Status), time.Since(at).Milliseconds()), nil
}
