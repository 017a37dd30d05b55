package main

import (
	"bufio"
	"context"
	"io"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/devstack"
	"leadgate/shared/tenant"
)

// newLink makes a link that signs a browser in to the console of the demo workspace, once, for as long as can be.
func newLink(ctx context.Context, s *devstack.System) (url string, err error) {
	c := client.New(client.Options{URL: s.URL, Key: s.Key})
	defer c.Close()
	in := client.NewConsoleSession{Name: "Developer", ExpiresInSeconds: int(tenant.MaxSessionLife / time.Second),
		LinkExpiresInSeconds: int(tenant.MaxLinkLife / time.Second)}
	for _, scope := range tenant.Scopes() {
		in.Scopes = append(in.Scopes, string(scope))
	}
	made, err := c.CreateConsoleSession(ctx, in)
	return made.URL, err
}

// firstLink is newLink, or why there is none, such as that there are too many: the rest works without.
func firstLink(ctx context.Context, s *devstack.System) string {
	url, err := newLink(ctx, s)
	if err != nil {
		return err.Error()
	}
	return url
}

// renewLinks says another link at each line that is read, which is whenever somebody presses Enter: a link works once.
func renewLinks(ctx context.Context, stdin io.Reader, con *console, s *devstack.System) {
	for lines := bufio.NewScanner(stdin); lines.Scan() && ctx.Err() == nil; {
		url, err := newLink(ctx, s)
		if err != nil {
			con.say("no link to the console: %v", err)
			continue
		}
		con.say("console %s", url)
	}
}
