package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadgate/gateway/internal/admin"
	"leadgate/shared/config"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// workspaceID and keyID are ids as flags.
type (
	workspaceID id.UUID
	keyID       id.UUID
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *workspaceID) UnmarshalText(text []byte) error {
	u, err := id.Workspace.Parse(string(text))
	if err != nil {
		return errors.New("must be a workspace's id, ws_ and 26 characters")
	}
	*w = workspaceID(u)
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keyID) UnmarshalText(text []byte) error {
	u, err := id.Key.Parse(string(text))
	if err != nil {
		return errors.New("must be a key's id, key_ and 26 characters")
	}
	*k = keyID(u)
	return nil
}

// span is a duration that may be told in days, such as 90d or 1d12h.
type span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	const maxDays = 100 * 366
	days, rest, inDays := strings.Cut(string(text), "d")
	var total time.Duration
	if inDays {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > maxDays {
			return errors.New("must be a duration such as 90d, 12h or 30m")
		}
		total = time.Duration(n) * 24 * time.Hour
	} else {
		rest = days
	}
	if rest != "" || !inDays {
		d, err := time.ParseDuration(rest)
		if err != nil || inDays && d < 0 {
			return errors.New("must be a duration such as 90d, 12h or 30m")
		}
		total += d
	}
	*s = span(total)
	return nil
}

// scopeNames are scopes apart by commas. Nil is not given; an empty text is an empty list, which is refused.
type scopeNames []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *scopeNames) UnmarshalText(text []byte) error {
	if *s == nil {
		*s = scopeNames{}
	}
	if len(text) > 0 {
		*s = append(*s, strings.Split(string(text), ",")...)
	}
	return nil
}

type inWorkspace struct {
	Workspace workspaceID `required:"" placeholder:"ws_..." help:"The workspace."`
}

type keyCommand struct {
	Create createKey `cmd:"" help:"Make an API key and print its secret, once."`
	List   listKeys  `cmd:"" help:"List a workspace's keys, newest first."`
	Rotate rotateKey `cmd:"" help:"Make a key's successor; both work until the overlap is over."`
	Revoke revokeKey `cmd:"" help:"End a key for ever, within a second."`
}

type createKey struct {
	output
	inWorkspace
	Name    string     `required:"" help:"What people call it, 1 to 100 characters."`
	Scopes  scopeNames `placeholder:"SCOPE" help:"What it may do; leads:read,leads:write,webhooks:manage unless given."`
	Expires *span      `placeholder:"90d" help:"When it ends, such as 90d or 12h, at least 1m; never unless given."`
	Kind    string     `default:"secret" enum:"secret,publishable" help:"secret: for servers. publishable: for the form of a page, which it opens and nothing else."`
	Test    bool       `help:"For the workspace's test data, which is apart from all that is live."`
	Origin  []string   `placeholder:"https://www.example.com" help:"Whose pages may use the form of a publishable key; the workspace's unless given."`
	Chatbot string     `placeholder:"cb_..." help:"The chatbot that the leads of a publishable key belong to."`
}

// Run makes the key.
func (c *createKey) Run(o *operator) error {
	d := admin.KeyDraft{Name: c.Name, Kind: tenant.KeyKind(c.Kind), Test: c.Test, Scopes: c.Scopes}
	if len(c.Origin) > 0 || c.Chatbot != "" {
		d.Form = &tenant.Form{Origins: c.Origin, ChatbotID: c.Chatbot}
	}
	if c.Expires != nil {
		until := o.tenants.Now().UTC().Add(time.Duration(*c.Expires)).Truncate(time.Millisecond)
		d.ExpiresAt = &until
	}
	k, secret, err := o.tenants.CreateKey(o.ctx, id.UUID(c.Workspace), d)
	if err != nil {
		return err
	}
	return c.show(o.out, admin.ViewKey(k, secret), describeKey(k, secret))
}

// describeKey tells a new key's text on a line of its own, ready to be copied.
func describeKey(k tenant.Key, secret string) string {
	until := "it does not expire"
	if k.ExpiresAt != nil {
		until = "it expires " + day(k.ExpiresAt)
	}
	what, text := scopes(k), "Its secret, shown only now"
	if k.Kind == tenant.PublishableKey {
		what, text = "a form", "It is no secret"
	}
	if k.Test {
		what += " of test data in " + id.Workspace.Format(k.WorkspaceID)
	}
	return fmt.Sprintf("Made key %s (%s) for %s; %s\n%s:\n%s\n", id.Key.Format(k.ID), k.Name, what, until, text, secret)
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

// Run lists.
func (c *listKeys) Run(o *operator) error {
	if _, err := o.db.GetWorkspace(o.ctx, id.UUID(c.Workspace)); err != nil {
		return err
	}
	all, err := everything(func(before id.UUID) ([]tenant.Key, error) {
		return o.db.ListKeys(o.ctx, id.UUID(c.Workspace), before, pageSize)
	}, func(k tenant.Key) id.UUID { return k.ID })
	if err != nil {
		return err
	}
	view := func(k tenant.Key) admin.KeyView { return admin.ViewKey(k, "") }
	return c.show(o.out, views(all, view), table("ID\tNAME\tKIND\tENDS IN\tSCOPES\tCREATED\tEXPIRES\tREVOKED\tLAST USED", all, func(k tenant.Key) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", id.Key.Format(k.ID), k.Name, k.Kind, k.Hint, scopes(k), day(&k.CreatedAt), day(k.ExpiresAt), day(k.RevokedAt), day(k.LastUsedAt))
	}))
}

type rotateKey struct {
	output
	inWorkspace
	Key     keyID `required:"" placeholder:"key_..." help:"The key to be replaced."`
	Overlap span  `default:"24h" help:"How long the old key goes on working, up to 720h."`
}

// Check says what is wrong.
func (c *rotateKey) Check() []error {
	if overlap := time.Duration(c.Overlap); overlap < 0 || overlap > admin.MaxOverlap {
		return []error{config.Wrong("overlap", "must be from 0s to %.0fh, not %s", admin.MaxOverlap.Hours(), overlap)}
	}
	return nil
}

// Run makes the successor.
func (c *rotateKey) Run(o *operator) error {
	k, secret, err := o.tenants.RotateKey(o.ctx, id.UUID(c.Workspace), id.UUID(c.Key), time.Duration(c.Overlap))
	if err != nil {
		return err
	}
	old := fmt.Sprintf("Key %s goes on working for %s at most\n", id.Key.Format(id.UUID(c.Key)), time.Duration(c.Overlap))
	return c.show(o.out, admin.ViewKey(k, secret), describeKey(k, secret)+old)
}

type revokeKey struct {
	output
	inWorkspace
	Key keyID `required:"" placeholder:"key_..." help:"The key to be ended."`
}

// Run revokes.
func (c *revokeKey) Run(o *operator) error {
	if err := o.tenants.RevokeKey(o.ctx, id.UUID(c.Workspace), id.UUID(c.Key)); err != nil {
		return err
	}
	k, err := o.db.GetKey(o.ctx, id.UUID(c.Workspace), id.UUID(c.Key))
	if err != nil {
		return err
	}
	return c.show(o.out, admin.ViewKey(k, ""), fmt.Sprintf("Revoked key %s (%s)\n", id.Key.Format(k.ID), k.Name))
}
