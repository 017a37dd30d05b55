package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/config"
)

// leadExport reads GET /api/v1/leads/export into a file.
type leadExport struct {
	access    `set:"scopes=leads:read"`
	Format    string `name:"format" enum:"csv,ndjson" default:"csv" help:"csv or ndjson."`
	BOM       bool   `name:"bom" help:"Begin a CSV file with a byte order mark, by which Excel knows UTF-8."`
	Plain     bool   `name:"plain" help:"Write cells of a CSV file as they are, for programs: a spreadsheet may run them."`
	Delimiter string `name:"delimiter" help:"Between cells of a CSV file: , ; | or a tab."`
	Out       string `name:"out" default:"-" placeholder:"FILE" help:"Where the leads go, - for standard output. A file is there only when it is whole."`
	Force     bool   `name:"force" help:"Overwrite a file that is there."`

	Chatbot      string            `name:"chatbot" placeholder:"cb_..." help:"Only leads of this chatbot."`
	Status       string            `name:"status" help:"Only leads of this status, or of these: new,contacted."`
	Source       string            `name:"source" help:"Only leads of this source."`
	Email        string            `name:"email" help:"Only leads with this email."`
	Domain       string            `name:"domain" help:"Only leads whose email is at this domain."`
	Phone        string            `name:"phone" help:"Only leads with this phone, in any spelling, or its last digits."`
	CreatedFrom  string            `name:"created-from" placeholder:"TIME" help:"Only leads created then or later (RFC 3339), or that day (UTC) or later."`
	CreatedUntil string            `name:"created-until" placeholder:"TIME" help:"Only leads created before then, or to the end of that day."`
	UpdatedFrom  string            `name:"updated-from" placeholder:"TIME" help:"Only leads changed then or later."`
	UpdatedUntil string            `name:"updated-until" placeholder:"TIME" help:"Only leads changed before then, or to the end of that day."`
	Search       string            `name:"q" placeholder:"WORDS" help:"Only leads whose name, email or company has words that begin so, or with that phone, or at that @domain."`
	Deleted      bool              `name:"deleted" help:"Only deleted leads."`
	Metadata     map[string]string `name:"metadata" placeholder:"KEY=VALUE" help:"Only leads whose metadata has this; up to 5."`
}

// Check says everything that is wrong with what the API cannot say.
func (l *leadExport) Check() []error {
	mistakes := l.access.Check()
	if _, err := os.Lstat(l.Out); err == nil && l.Out != "-" && !l.Force {
		mistakes = append(mistakes, config.Invalid("out", "%s exists; name another file, or overwrite it with --force", l.Out))
	}
	return mistakes
}

// run exports; how far the export is goes to says.
func (l *leadExport) run(ctx context.Context, waits client.Options, stdout, says io.Writer) error {
	api := l.client(waits)
	defer api.Close()
	o := client.ExportOptions{Format: l.Format, BOM: l.BOM, Plain: l.Plain, Delimiter: l.Delimiter}
	leads, err := api.ExportLeads(ctx, o, l.filter())
	if err != nil {
		return err
	}
	defer leads.Close()
	out, keep, err := l.open(stdout)
	if err != nil {
		return err
	}
	show := newProgress(says)
	in := &leadCount{from: leads, show: show}
	if l.Format == "csv" {
		in.quoted, in.lines = true, -1 // the head is no lead
	}
	_, err = io.Copy(out, in)
	n := in.leads()
	show.end()
	if err != nil {
		err = fmt.Errorf("the export broke off after %d leads: %w", n, err)
	}
	if err := keep(err); err != nil {
		return err
	}
	fmt.Fprintf(says, "Exported %d leads, %.1f MB\n", n, float64(in.bytes)/1e6)
	return nil
}

func (l *leadExport) filter() client.LeadFilter {
	return client.LeadFilter{
		ChatbotID: l.Chatbot, Status: l.Status, Source: l.Source, Email: l.Email, Domain: l.Domain, Phone: l.Phone, Search: l.Search,
		Deleted: l.Deleted, Metadata: l.Metadata,
		CreatedFrom: l.CreatedFrom, CreatedUntil: l.CreatedUntil, UpdatedFrom: l.UpdatedFrom, UpdatedUntil: l.UpdatedUntil,
	}
}

// open opens what leads are written to. keep ends it: a file gets its name when nothing went wrong, and is gone when
// something did.
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
	lines  int
	bytes  int64
	shown  time.Time
}

func (c *leadCount) leads() int { return max(0, c.lines) }

func (c *leadCount) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.bytes += int64(n)
	for _, char := range b[:n] {
		switch {
		case char == '"' && c.quoted:
			c.inside = !c.inside
		case char == '\n' && !c.inside:
			c.lines++
		}
	}
	if now := time.Now(); now.Sub(c.shown) >= c.show.every {
		c.shown = now
		c.show.show("Exporting", -1, fmt.Sprintf("%d leads, %.1f MB", c.leads(), float64(c.bytes)/1e6))
	}
	return n, err
}
