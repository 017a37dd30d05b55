package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/config"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

type workspaceCommand struct {
	Create createWorkspace `cmd:"" help:"Create a workspace."`
	List   listWorkspaces  `cmd:"" help:"List all workspaces."`

	Suspend suspendWorkspace `cmd:"" help:"Refuse a workspace's keys, forms and console sessions, and send nothing for it. Nothing is lost."`
	Resume  resumeWorkspace  `cmd:"" help:"End the suspension of a workspace; what waited is sent."`

	Export    exportWorkspace `cmd:"" help:"Write all leads and submissions of a workspace to a ZIP archive."`
	Delete    deleteWorkspace `cmd:"" help:"Delete a suspended workspace for good, with all that it has. A worker does it."`
	Deletions listDeletions   `cmd:"" help:"List deleted workspaces, and what was erased of each."`
}

type createWorkspace struct {
	output
	Name     string   `arg:"" help:"Name for people, 1 to 100 characters."`
	Rate     int      `help:"Sustained requests per second; 0 is the default."`
	Burst    int      `help:"Requests at once; 0 is the default."`
	Statuses []string `placeholder:"STATUS" help:"Statuses that a lead may have; the first is the default."`

	RetrySchedule []days `placeholder:"0s,5s,2m" help:"Wait before each attempt of a webhook; the first is made at once. The default is 12 attempts over 76 hours."`

	DeliveryTarget days `placeholder:"5s" help:"How long 95 % of an endpoint's deliveries may take before endpoint.slow is sent about it, 100ms to 24h. The default is no target."`
}

// Run creates the workspace.
func (c *createWorkspace) Run(o *operator) error {
	waits := []int{}
	for _, wait := range c.RetrySchedule {
		waits = append(waits, int(math.Ceil(time.Duration(wait).Seconds())))
	}
	w, err := o.tenants.CreateWorkspace(o.ctx, encode(map[string]any{
		"name": c.Name, "rate": c.Rate, "burst": c.Burst, "statuses": c.Statuses, "retrySchedule": waits,
		"deliveryTargetMs": int(math.Ceil(time.Duration(c.DeliveryTarget).Seconds() * 1000)),
	}))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Created workspace %s (%s)\n", id.Workspace.Format(w.ID), w.Name)
	return c.show(o.out, tenants.ViewLimits(w), text)
}

type listWorkspaces struct{ output }

// Run lists the workspaces.
func (c *listWorkspaces) Run(o *operator) error {
	all, err := readAll(func(after id.UUID) ([]tenant.Workspace, error) {
		return o.db.ListWorkspaces(o.ctx, after, pageSize)
	}, func(w tenant.Workspace) id.UUID { return w.ID })
	if err != nil {
		return err
	}
	text := table("ID\tNAME\tMODE\tRATE\tBURST\tCREATED\tSUSPENDED", all, func(w tenant.Workspace) string {
		v, suspended := tenants.ViewLimits(w), (*time.Time)(nil)
		if w.Suspension != nil {
			suspended = &w.Suspension.At
		}
		return fmt.Sprintf("%s\t%s\t%s\t%d/s\t%d\t%s\t%s", v.ID, v.Name, v.Mode, v.Rate, v.Burst, minute(&w.CreatedAt),
			minute(suspended))
	})
	return c.show(o.out, views(all, tenants.ViewLimits), text)
}

// inWorkspace is embedded by the commands that are about one workspace.
type inWorkspace struct {
	Workspace workspaceID `required:"" placeholder:"ws_..." help:"The workspace."`
}

func (w inWorkspace) actor() tenants.Actor { return tenants.Operator(id.UUID(w.Workspace)) }

type chatbotCommand struct {
	Create createChatbot `cmd:"" help:"Create a chatbot."`
	List   listChatbots  `cmd:"" help:"List a workspace's chatbots."`
}

type createChatbot struct {
	output
	inWorkspace
	Name string `arg:"" help:"Name for people, 1 to 100 characters."`
}

// Run creates the chatbot.
func (c *createChatbot) Run(o *operator) error {
	created, err := o.tenants.CreateChatbot(o.ctx, c.actor(), encode(map[string]any{"name": c.Name}))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Created chatbot %s (%s)\n", id.Chatbot.Format(created.ID), created.Name)
	return c.show(o.out, tenants.ViewChatbot(created), text)
}

type listChatbots struct {
	output
	inWorkspace
}

// Run lists the chatbots.
func (c *listChatbots) Run(o *operator) error {
	all, err := readAllIn(o, c.Workspace, o.db.ListChatbots, func(b tenant.Chatbot) id.UUID { return b.ID })
	if err != nil {
		return err
	}
	text := table("ID\tNAME\tCREATED", all, func(b tenant.Chatbot) string {
		return fmt.Sprintf("%s\t%s\t%s", id.Chatbot.Format(b.ID), b.Name, minute(&b.CreatedAt))
	})
	return c.show(o.out, views(all, tenants.ViewChatbot), text)
}

type keyCommand struct {
	Create createKey `cmd:"" help:"Create an API key and print its secret, which is shown only once."`
	List   listKeys  `cmd:"" help:"List a workspace's keys, newest first."`
	Rotate rotateKey `cmd:"" help:"Replace a key; the old and the new one both work until the overlap is over."`
	Revoke revokeKey `cmd:"" help:"End a key for good, within a second."`
}

type createKey struct {
	output
	inWorkspace
	Name    string     `required:"" help:"Name for people, 1 to 100 characters."`
	Scopes  scopeNames `placeholder:"SCOPE" help:"What the key may do. The default is leads:read,leads:write,webhooks:manage."`
	Expires *days      `placeholder:"90d" help:"When the key expires, such as 90d or 12h, at least 1m. The default is never."`
	Kind    string     `default:"secret" enum:"secret,publishable" help:"secret: for servers. publishable: for a form on a web page, and nothing else."`
	Test    bool       `help:"Create a key for the workspace's sandbox, whose data is separate from live data."`
	Origin  []string   `placeholder:"https://www.example.com" help:"Sites whose pages may use the form of a publishable key. The default is the workspace's list."`
	Chatbot string     `placeholder:"cb_..." help:"The chatbot that leads from a publishable key belong to."`
	Preset  string     `placeholder:"typeform" help:"The tool whose forms send to a publishable key; see /docs/forms of the gateway. It sends from no page, so its origin is '*'."`
}

// Run creates the key.
func (c *createKey) Run(o *operator) error {
	fields := map[string]any{
		"name": c.Name, "kind": c.Kind, "mode": tenant.ModeOf(c.Test), "scopes": c.Scopes,
	}
	if len(c.Origin) > 0 || c.Chatbot != "" || c.Preset != "" {
		fields["form"] = tenant.Form{Origins: c.Origin, ChatbotID: c.Chatbot, Preset: c.Preset}
	}
	if c.Expires != nil {
		fields["expiresAt"] = o.tenants.Now().UTC().Add(time.Duration(*c.Expires)).Truncate(time.Millisecond)
	}
	k, secret, err := o.tenants.CreateKey(o.ctx, c.actor(), encode(fields))
	if err != nil {
		return err
	}
	return c.show(o.out, tenants.ViewIssued(k, secret), describeKey(k, secret))
}

// describeKey shows a new key, its text on a line of its own so that it is easy to copy.
func describeKey(k tenant.Key, secret string) string {
	until := "it does not expire"
	if k.ExpiresAt != nil {
		until = "it expires " + minute(k.ExpiresAt)
	}
	purpose, text := scopes(k), "Its secret, shown only now"
	if k.Kind == tenant.PublishableKey {
		purpose, text = "a form", "It is not a secret"
	}
	if k.Test {
		purpose += " of test data in " + id.Workspace.Format(k.WorkspaceID)
	}
	return fmt.Sprintf("Created key %s (%s) for %s; %s\n%s:\n%s\n",
		id.Key.Format(k.ID), k.Name, purpose, until, text, secret)
}

func scopes(k tenant.Key) string {
	var names []string
	for _, s := range k.Scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, ",")
}

type listKeys struct {
	output
	inWorkspace
}

// Run lists the keys.
func (c *listKeys) Run(o *operator) error {
	all, err := readAllIn(o, c.Workspace, o.db.ListKeys, func(k tenant.Key) id.UUID { return k.ID })
	if err != nil {
		return err
	}
	const head = "ID\tNAME\tKIND\tENDS IN\tSCOPES\tCREATED\tEXPIRES\tREVOKED\tLAST USED"
	text := table(head, all, func(k tenant.Key) string {
		return strings.Join([]string{id.Key.Format(k.ID), k.Name, string(k.Kind), k.Hint, scopes(k),
			minute(&k.CreatedAt), minute(k.ExpiresAt), minute(k.RevokedAt), minute(k.LastUsedAt)}, "\t")
	})
	return c.show(o.out, views(all, tenants.ViewKey), text)
}

type rotateKey struct {
	output
	inWorkspace
	Key     keyID `required:"" placeholder:"key_..." help:"The key to replace."`
	Overlap days  `default:"24h" help:"How long the old key keeps working, up to 720h."`
}

// Check returns what is wrong with the flags.
func (c *rotateKey) Check() []error {
	if overlap := time.Duration(c.Overlap); overlap < 0 || overlap > tenant.MaxOverlap {
		return []error{config.Invalid("overlap", "must be from 0s to %.0fh, not %s", tenant.MaxOverlap.Hours(), overlap)}
	}
	return nil
}

// Run creates the key's successor.
func (c *rotateKey) Run(o *operator) error {
	old, err := o.tenants.GetKey(o.ctx, c.actor(), id.UUID(c.Key))
	if err != nil {
		return err
	}
	k, secret, err := o.tenants.RotateKey(o.ctx, c.actor(), old, time.Duration(c.Overlap))
	if err != nil {
		return err
	}
	ends := fmt.Sprintf("Key %s keeps working for %s at most\n", id.Key.Format(old.ID), time.Duration(c.Overlap))
	return c.show(o.out, tenants.ViewIssued(k, secret), describeKey(k, secret)+ends)
}

type revokeKey struct {
	output
	inWorkspace
	Key keyID `required:"" placeholder:"key_..." help:"The key to revoke."`
}

// Run revokes the key.
func (c *revokeKey) Run(o *operator) error {
	k, err := o.tenants.RevokeKey(o.ctx, c.actor(), id.UUID(c.Key))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Revoked key %s (%s)\n", id.Key.Format(k.ID), k.Name)
	return c.show(o.out, tenants.ViewKey(k), text)
}
