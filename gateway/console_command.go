package main

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// consoleLink lets the operator, or whoever the operator gives the link to, into the console of a workspace without a
// key.
type consoleLink struct {
	output
	inWorkspace
	URL         string     `name:"url" from:"LEADGATE_PUBLIC_URL" placeholder:"URL" help:"Where the API is, as the browser reaches it. Unless set it is LEADGATE_URL, else http://127.0.0.1:8080."`
	APIURL      string     `name:"api-url" from:"LEADGATE_URL" default:"http://127.0.0.1:8080" hidden:""`
	Name        string     `help:"Whom it is for, up to 100 characters; the console shows it."`
	Scopes      scopeNames `placeholder:"SCOPE" help:"What may be done in the console. The default is everything."`
	Expires     days       `default:"1h" help:"How long the session lasts, 1m to 12h."`
	LinkExpires days       `default:"5m" help:"How long the link works, 10s to 1h."`
}

// Check says what is wrong with the address.
func (c *consoleLink) Check() []error { return checkURL("url", cmp.Or(c.URL, c.APIURL)) }

// Run creates the session and prints its link.
func (c *consoleLink) Run(o *operator) error {
	if c.Scopes == nil {
		for _, scope := range tenant.Scopes() {
			c.Scopes = append(c.Scopes, string(scope))
		}
	}
	in, err := tenants.ReadSession(encode(map[string]any{
		"name": c.Name, "scopes": c.Scopes, "expiresInSeconds": seconds(c.Expires),
		"linkExpiresInSeconds": seconds(c.LinkExpires),
	}))
	if err != nil {
		return err
	}
	link, s, err := o.tenants.CreateSessionLink(o.ctx, tenants.Console(id.UUID(c.Workspace)), in)
	if err != nil {
		return err
	}
	v := tenants.ViewSessionLink(s, strings.TrimSuffix(cmp.Or(c.URL, c.APIURL), "/"), link)
	return c.show(o.out, v, fmt.Sprintf("Opens the console once, until %s; the session ends %s:\n%s\n",
		minute(s.LinkExpiresAt), minute(&s.ExpiresAt), v.URL))
}

func seconds(d days) int { return int(math.Ceil(time.Duration(d).Seconds())) }
