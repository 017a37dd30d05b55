package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/client"
	"leadgate/shared/devstack"
	"leadgate/shared/webhook"
)

// receiver takes webhooks about the demo workspace's leads, as a customer's program would, and says each of them.
type receiver struct {
	con    *console
	file   string
	is     subscription
	verify *standardwebhooks.Webhook
	server *http.Server // nil: none is wanted
}

// subscription is the receiver's endpoint. It is kept beside the workspace's data, so that each session has the same.
type subscription struct {
	Endpoint string `json:"endpoint"` // "": there is none yet
	URL      string `json:"url"`
	Secret   string `json:"secret"`
}

// maxWebhook is how much of a webhook is read, in bytes.
const maxWebhook = 2 << 20

// openReceiver begins to listen, where it did last time if that is free, so that nothing is sent in vain.
func openReceiver(dir string, wanted bool, con *console) (*receiver, error) {
	r := &receiver{con: con, file: filepath.Join(dir, "receiver.json")}
	text, err := os.ReadFile(r.file)
	if err == nil {
		err = json.Unmarshal(text, &r.is)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", r.file, err)
	}
	if !wanted {
		return r, nil
	}
	r.is.Secret = cmp.Or(r.is.Secret, webhook.NewSecret())
	if r.verify, err = standardwebhooks.NewWebhook(r.is.Secret); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.file, err)
	}
	l, err := net.Listen("tcp", hostOf(r.is.URL))
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	r.is.URL = "http://" + l.Addr().String() + "/"
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go r.server.Serve(l)
	return r, nil
}

// hostOf returns the address of a URL, or one with any free port.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Host
	}
	return "127.0.0.1:0"
}

func (r *receiver) close() {
	if r.server != nil {
		r.server.Close()
	}
}

// subscribe lets the endpoint send to the receiver, or removes it where none is wanted. It returns what the banner says
// of it: without a receiver the rest works.
func (r *receiver) subscribe(ctx context.Context, s *devstack.System) string {
	c := client.New(client.Options{URL: s.URL, Key: s.Key})
	defer c.Close()
	if r.server == nil {
		if err := r.unsubscribe(ctx, c); err != nil {
			return err.Error()
		}
		return "not printed; start without -receiver=false to see them here"
	}
	err := r.renew(ctx, c)
	if isGone(err) {
		var made client.Webhook
		made, err = c.CreateWebhook(ctx, client.NewWebhook{URL: r.is.URL, Description: "Receiver of go run ./shared/dev",
			EventTypes: []string{"lead.*"}, Secret: r.is.Secret})
		r.is.Endpoint = made.ID
	}
	if err == nil {
		err = r.keep()
	}
	if err != nil {
		return err.Error()
	}
	return "those about leads are printed here as " + r.is.URL + " gets them; -receiver=false ends that"
}

// errNoEndpoint is that there is no endpoint yet.
var errNoEndpoint = errors.New("no endpoint yet")

// renew tells the endpoint of former sessions where the receiver is now.
func (r *receiver) renew(ctx context.Context, c *client.Client) error {
	if r.is.Endpoint == "" {
		return errNoEndpoint
	}
	on := true
	_, err := c.UpdateWebhook(ctx, r.is.Endpoint, client.WebhookChange{URL: r.is.URL, Enabled: &on})
	return err
}

// unsubscribe removes the endpoint of former sessions, whose deliveries would only fail.
func (r *receiver) unsubscribe(ctx context.Context, c *client.Client) error {
	if r.is.Endpoint == "" {
		return nil
	}
	if err := c.DeleteWebhook(ctx, r.is.Endpoint); err != nil && !isGone(err) {
		return err
	}
	return os.Remove(r.file)
}

// isGone reports whether an error says that the endpoint is not there.
func isGone(err error) bool {
	var refused *client.Error
	return errors.Is(err, errNoEndpoint) || errors.As(err, &refused) && refused.Status == http.StatusNotFound
}

func (r *receiver) keep() error {
	text, err := json.MarshalIndent(r.is, "", "\t")
	if err != nil {
		return err
	}
	return devstack.WriteFile(r.file, text)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxWebhook))
	if err == nil {
		err = r.verify.Verify(body, req.Header)
	}
	var events []client.Event
	if err == nil {
		events, err = client.WebhookEvents(req.Header, body)
	}
	if err != nil {
		r.say("signature not verified: %v; if the endpoint's secret was changed, delete the endpoint and start again", err)
		http.Error(w, "the signature is not verified", http.StatusBadRequest)
		return
	}
	for _, e := range events {
		var about struct{ ID, Email string }
		_ = json.Unmarshal(e.Data, &about) // what it does not have is not printed
		r.say("%s %s, signature verified", e.Type, cmp.Or(about.Email, about.ID))
	}
	w.WriteHeader(http.StatusNoContent)
}

// say writes a line with the time.
func (r *receiver) say(format string, args ...any) {
	r.con.line("receiver", fmt.Appendf([]byte(time.Now().Format("15:04:05 ")), format, args...))
}
