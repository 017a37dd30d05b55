package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"leadgate/gateway/internal/admin"
	"leadgate/shared/config"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// operator is what every command but serve works with.
type operator struct {
	ctx     context.Context
	db      *pg.DB
	tenants admin.Tenants
	out     io.Writer
}

// patience is how long a person waits for a database that is away; serving waits longer, as it may be started together with it.
const patience = 5 * time.Second

// operate runs one command and ends.
func operate(ctx context.Context, cmd *kong.Context, c *cli, stdout io.Writer) error {
	db, err := pg.Open(c.DatabaseURL.Reveal(), pg.Options{MaxConns: 2, StartTimeout: patience, Application: "leadgate " + cmd.Selected().Path()})
	if err != nil {
		return err
	}
	defer db.Close()
	quiet := slog.New(slog.DiscardHandler)
	if cmd.Command() == "migrate" {
		err = db.Await(ctx, quiet)
	} else {
		err = db.Start(ctx, quiet, false)
	}
	if err != nil {
		return err
	}
	return plain(cmd, cmd.Run(&operator{ctx, db, admin.Tenants{DB: db, Now: time.Now}, stdout}))
}

// plain turns an error meant for the API's clients into one for a terminal: mistakes by flag or argument, no code names.
func plain(cmd *kong.Context, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	var details struct{ Errors []fault.Field }
	if text, e := json.Marshal(f.Details); e == nil && json.Unmarshal(text, &details) == nil && len(details.Errors) > 0 {
		var mistakes []error
		for _, field := range details.Errors {
			flag := map[string]string{"expiresAt": "expires", "overlapSeconds": "overlap", "retrySchedule": "retry-schedule", "form": "origin", "form.origins": "origin", "form.chatbotId": "chatbot"}[field.Field]
			if flag == "" {
				flag = field.Field
			}
			mistake := config.Wrong(flag, "%s", field.Message)
			for _, argument := range cmd.Selected().Positional {
				if argument.Name == flag {
					mistake = fmt.Errorf("<%s>: %s", flag, field.Message)
				}
			}
			mistakes = append(mistakes, mistake)
		}
		return config.Errors(mistakes)
	}
	if f.Cause != nil {
		return f.Cause
	}
	return errors.New(f.Public)
}

type migrate struct{ output }

// Run migrates.
func (m *migrate) Run(o *operator) error {
	n, err := o.db.Migrate(o.ctx)
	if err != nil {
		return err
	}
	return m.show(o.out, map[string]int{"applied": n}, fmt.Sprintf("The schema is up to date; migrations applied: %d\n", n))
}

type workspaceCommand struct {
	Create createWorkspace `cmd:"" help:"Make a workspace."`
	List   listWorkspaces  `cmd:"" help:"List all workspaces."`
}

type createWorkspace struct {
	output
	Name     string   `arg:"" help:"What people call it, 1 to 100 characters."`
	Rate     int      `help:"Requests per second, sustained; 0 is the default."`
	Burst    int      `help:"Requests at once; 0 is the default."`
	Statuses []string `placeholder:"STATUS" help:"What a lead's status may be; the first is the default."`

	RetrySchedule []span `placeholder:"0s,5s,2m" help:"How long to wait before each attempt of a webhook, the first of which is made at once; 12 attempts over 76 hours unless given."`
}

// Run makes the workspace.
func (c *createWorkspace) Run(o *operator) error {
	var waits []int
	for _, wait := range c.RetrySchedule {
		waits = append(waits, int(math.Ceil(time.Duration(wait).Seconds())))
	}
	w, err := o.tenants.CreateWorkspace(o.ctx, admin.WorkspaceDraft{Name: &c.Name, Rate: &c.Rate, Burst: &c.Burst, Statuses: &c.Statuses, RetrySchedule: &waits})
	if err != nil {
		return err
	}
	return c.show(o.out, admin.ViewWorkspace(w), fmt.Sprintf("Made workspace %s (%s)\n", id.Workspace.Format(w.ID), w.Name))
}

type listWorkspaces struct{ output }

// Run lists.
func (c *listWorkspaces) Run(o *operator) error {
	all, err := everything(func(after id.UUID) ([]tenant.Workspace, error) {
		return o.db.ListWorkspaces(o.ctx, after, pageSize)
	}, func(w tenant.Workspace) id.UUID { return w.ID })
	if err != nil {
		return err
	}
	return c.show(o.out, views(all, admin.ViewWorkspace), table("ID\tNAME\tMODE\tRATE\tBURST\tCREATED", all, func(w tenant.Workspace) string {
		s := w.Settings.WithDefaults()
		return fmt.Sprintf("%s\t%s\t%s\t%d/s\t%d\t%s", id.Workspace.Format(w.ID), w.Name, tenant.ModeOf(w.TestOf != id.UUID{}), s.Rate, s.Burst, day(&w.CreatedAt))
	}))
}

type chatbotCommand struct {
	Create createChatbot `cmd:"" help:"Make a chatbot."`
	List   listChatbots  `cmd:"" help:"List a workspace's chatbots."`
}

type createChatbot struct {
	output
	inWorkspace
	Name string `arg:"" help:"What people call it, 1 to 100 characters."`
}

// Run makes the chatbot.
func (c *createChatbot) Run(o *operator) error {
	made, err := o.tenants.CreateChatbot(o.ctx, id.UUID(c.Workspace), c.Name)
	if err != nil {
		return err
	}
	return c.show(o.out, admin.ViewChatbot(made), fmt.Sprintf("Made chatbot %s (%s)\n", id.Chatbot.Format(made.ID), made.Name))
}

type listChatbots struct {
	output
	inWorkspace
}

// Run lists.
func (c *listChatbots) Run(o *operator) error {
	if _, err := o.db.GetWorkspace(o.ctx, id.UUID(c.Workspace)); err != nil {
		return err
	}
	all, err := everything(func(after id.UUID) ([]tenant.Chatbot, error) {
		return o.db.ListChatbots(o.ctx, id.UUID(c.Workspace), after, pageSize)
	}, func(b tenant.Chatbot) id.UUID { return b.ID })
	if err != nil {
		return err
	}
	return c.show(o.out, views(all, admin.ViewChatbot), table("ID\tNAME\tCREATED", all, func(b tenant.Chatbot) string {
		return fmt.Sprintf("%s\t%s\t%s", id.Chatbot.Format(b.ID), b.Name, day(&b.CreatedAt))
	}))
}

// output is how a command answers: text for people, or JSON as the admin API has it.
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

// everything reads a listing page by page.
func everything[T any](read func(after id.UUID) ([]T, error), key func(T) id.UUID) (all []T, err error) {
	var after id.UUID
	for {
		some, err := read(after)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < pageSize {
			return all, nil
		}
		after = key(some[len(some)-1])
	}
}

func views[T, V any](all []T, view func(T) V) []V {
	out := make([]V, 0, len(all))
	for _, one := range all {
		out = append(out, view(one))
	}
	return out
}

// table aligns rows under head; cells are apart by tabs.
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

// day shows a time to the minute; "-" for none.
func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
