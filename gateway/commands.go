package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/config"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/secret"
)

// operator is what every command works with, except serve and those of a client.
type operator struct {
	ctx     context.Context
	db      *pg.DB
	secrets *secret.Keyring
	tenants tenants.Service
	out     io.Writer
}

// connectTimeout is how long a command waits for a database that cannot be reached. Serving waits longer, because the
// gateway may be started together with its database.
const connectTimeout = 5 * time.Second

// operate runs one command and ends.
func operate(ctx context.Context, cmd *kong.Context, c *cli, stdout io.Writer) error {
	db, err := pg.Open(c.DatabaseURL.Reveal(), pg.Options{
		MaxConns: 2, StartTimeout: connectTimeout, Application: "leadgate " + cmd.Selected().Path(),
	})
	if err != nil {
		return err
	}
	defer db.Close()
	quiet := slog.New(slog.DiscardHandler)
	if cmd.Command() == "migrate" {
		err = db.Await(ctx, quiet)
	} else {
		err = db.Start(ctx, quiet, pg.StartOptions{AllowUnsafe: true, Secrets: c.secrets()})
	}
	if err != nil {
		return err
	}
	o := &operator{ctx, db, c.secrets(), tenants.Service{DB: db, Now: time.Now}, stdout}
	return forTerminal(cmd, cmd.Run(o))
}

// flags are the flags and arguments by the field that they set, where these are not named alike.
var flags = map[string]string{
	"expiresAt": "expires", "retrySchedule": "retry-schedule", "deliveryTargetMs": "delivery-target",
	"expiresInSeconds": "expires", "linkExpiresInSeconds": "link-expires",
	"form": "origin", "form.origins": "origin", "form.chatbotId": "chatbot",
}

// forTerminal turns an error that is worded for clients of the API into one for a terminal: problems are named by flag
// or argument, and there are no error codes.
func forTerminal(cmd *kong.Context, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if fields := f.Fields(); len(fields) > 0 {
		var problems []error
		for _, field := range fields {
			flag := cmp.Or(flags[field.Field], field.Field)
			problem := config.Invalid(flag, "%s", field.Message)
			for _, argument := range cmd.Selected().Positional {
				if argument.Name == flag {
					problem = fmt.Errorf("<%s>: %s", flag, field.Message)
				}
			}
			problems = append(problems, problem)
		}
		return config.Errors(problems)
	}
	if f.Cause != nil {
		return f.Cause
	}
	return errors.New(f.Public)
}

// encode returns a request's body as the admin API takes it. A command line is checked as such a body, so that both
// have the same rules.
func encode(fields any) []byte {
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // the fields are texts, numbers and times
	}
	return body
}

type migrate struct {
	output
	GrantTo    string `name:"grant-to" placeholder:"ROLE" help:"A role of Postgres that gateways and workers run as; it gets what they need and no more."`
	Distribute bool   `name:"distribute" help:"Spread the tables over the nodes of the Citus cluster whose coordinator DATABASE_URL names."`
}

// Run applies the migrations. For whom they wait is said beside the answer.
func (m *migrate) Run(o *operator) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	n, err := o.db.Migrate(o.ctx, log)
	if err == nil && m.Distribute {
		_, err = o.db.Distribute(o.ctx, log)
	}
	if err == nil && m.GrantTo != "" {
		err = o.db.Grant(o.ctx, log, m.GrantTo)
	}
	if err != nil {
		return err
	}
	return m.show(o.out, map[string]int{"applied": n}, fmt.Sprintf("The schema is up to date; migrations applied: %d\n",
		n))
}

// output is how a command answers: in text for people, or in JSON as the admin API does.
type output struct {
	JSON bool `name:"json" help:"Answer in JSON."`
}

func (o output) show(w io.Writer, view any, text string) error {
	if o.JSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(view)
	}
	_, err := io.WriteString(w, text)
	return err
}

const pageSize = 1000

// readAll reads a list page by page.
func readAll[T any](read func(after id.UUID) ([]T, error), key func(T) id.UUID) (all []T, err error) {
	var after id.UUID
	for {
		page, err := read(after)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
		after = key(page[len(page)-1])
	}
}

// readAllIn is readAll of what a workspace has; NOT_FOUND when there is no such workspace.
func readAllIn[T any](o *operator, ws workspaceID, read func(ctx context.Context, ws, after id.UUID,
	limit int) ([]T, error), key func(T) id.UUID) ([]T, error) {
	if _, err := o.db.GetWorkspace(o.ctx, id.UUID(ws)); err != nil {
		return nil, err
	}
	return readAll(func(after id.UUID) ([]T, error) { return read(o.ctx, id.UUID(ws), after, pageSize) }, key)
}

func views[T, V any](all []T, view func(T) V) []V {
	out := make([]V, 0, len(all))
	for _, one := range all {
		out = append(out, view(one))
	}
	return out
}

// table aligns rows under head; tabs separate their cells.
func table[T any](head string, all []T, row func(T) string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, one := range all {
		fmt.Fprintln(w, row(one))
	}
	w.Flush()
	return b.String()
}

// minute shows a time to the minute, and no time as "-".
func minute(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
