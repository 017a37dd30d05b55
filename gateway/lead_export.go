package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"leadgate/shared/config"
)

// leadExport reads GET /api/v1/leads/export into a file.
type leadExport struct {
	URL    string        `name:"url" from:"LEADGATE_URL" default:"http://127.0.0.1:8080" help:"Where the API is."`
	Key    config.Secret `name:"key" from:"LEADGATE_KEY" required:"" help:"API key with leads:read."`
	Format string        `name:"format" enum:"csv,ndjson" default:"csv" help:"csv or ndjson."`
	Out    string        `name:"out" default:"-" placeholder:"FILE" help:"Where the leads go, - for standard output. A file is there only when it is whole."`

	Chatbot      string            `name:"chatbot" placeholder:"cb_..." help:"Only leads of this chatbot."`
	Status       string            `name:"status" help:"Only leads of this status."`
	Source       string            `name:"source" help:"Only leads of this source."`
	Email        string            `name:"email" help:"Only leads with this email."`
	CreatedFrom  string            `name:"created-from" placeholder:"TIME" help:"Only leads created then or later (RFC 3339)."`
	CreatedUntil string            `name:"created-until" placeholder:"TIME" help:"Only leads created before then."`
	UpdatedFrom  string            `name:"updated-from" placeholder:"TIME" help:"Only leads changed then or later."`
	UpdatedUntil string            `name:"updated-until" placeholder:"TIME" help:"Only leads changed before then."`
	Search       string            `name:"q" placeholder:"WORDS" help:"Only leads whose name, email or company has words that begin so."`
	Deleted      bool              `name:"deleted" help:"Only deleted leads."`
	Metadata     map[string]string `name:"metadata" placeholder:"KEY=VALUE" help:"Only leads whose metadata has this; up to 5."`
}

// Check says everything that is wrong with what the API cannot say.
func (l *leadExport) Check() (mistakes []error) {
	if u, err := url.Parse(l.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		mistakes = append(mistakes, config.Wrong("url", "must begin with http:// or https:// and a host"))
	}
	return mistakes
}

// run exports; how far it is goes to says.
func (l *leadExport) run(ctx context.Context, w waits, stdout, says io.Writer) error {
	api := newLeadAPI(l.URL, l.Key, w)
	defer api.close()
	res, err := l.begin(ctx, api)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out, keep, err := l.open(stdout)
	if err != nil {
		return err
	}
	show := newProgress(says)
	in := &leadCount{from: res.Body, quoted: l.Format == "csv", show: show}
	_, err = io.Copy(out, in)
	leads := in.leads
	if l.Format == "csv" && leads > 0 {
		leads-- // the head
	}
	show.end()
	if err != nil {
		err = fmt.Errorf("the export broke off after %d leads: %w", leads, err)
	}
	if err := keep(err); err != nil {
		return err
	}
	fmt.Fprintf(says, "Exported %d leads, %.1f MB\n", leads, float64(in.bytes)/1e6)
	return nil
}

func (l *leadExport) begin(ctx context.Context, api *leadAPI) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.url+"/api/v1/leads/export?"+l.query().Encode(), nil)
	if err != nil {
		return nil, err
	}
	return api.stream(req, http.StatusOK)
}

func (l *leadExport) query() url.Values {
	q := url.Values{"format": {l.Format}}
	for name, value := range map[string]string{
		"chatbotId": l.Chatbot, "status": l.Status, "source": l.Source, "email": l.Email, "q": l.Search,
		"createdFrom": l.CreatedFrom, "createdUntil": l.CreatedUntil, "updatedFrom": l.UpdatedFrom, "updatedUntil": l.UpdatedUntil,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if l.Deleted {
		q.Set("deleted", "true")
	}
	for key, value := range l.Metadata {
		q.Set("metadata."+key, value)
	}
	return q
}

// open opens what leads are written to. keep ends it: a file gets its name when nothing went wrong, and is gone when something did.
func (l *leadExport) open(stdout io.Writer) (out io.Writer, keep func(error) error, err error) {
	if l.Out == "-" {
		return stdout, func(err error) error { return err }, nil
	}
	part := l.Out + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it holds personal data
	if err != nil {
		return nil, nil, err
	}
	return file, func(err error) error {
		if err = errors.Join(err, file.Close()); err == nil {
			err = os.Rename(part, l.Out)
		}
		if err != nil {
			os.Remove(part)
		}
		return err
	}, nil
}

// leadCount counts what passes and shows it now and then.
type leadCount struct {
	from   io.Reader
	quoted bool // line ends between quotes end no lead
	show   *progress

	inside bool
	leads  int
	bytes  int64
	shown  time.Time
}

func (c *leadCount) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.bytes += int64(n)
	for _, octet := range b[:n] {
		switch {
		case octet == '"' && c.quoted:
			c.inside = !c.inside
		case octet == '\n' && !c.inside:
			c.leads++
		}
	}
	if now := time.Now(); now.Sub(c.shown) >= c.show.every {
		c.shown = now
		c.show.show("Exporting", -1, fmt.Sprintf("%d leads, %.1f MB", c.leads, float64(c.bytes)/1e6))
	}
	return n, err
}
