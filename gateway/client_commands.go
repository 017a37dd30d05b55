package main

import (
	"context"
	"io"
	"net/url"
	"os"
	"slices"

	"leadgate/shared/client"
	"leadgate/shared/config"
)

// clientCLI is what a customer's computer runs: it speaks to the API, and to no store.
type clientCLI struct {
	Version    config.Version    `name:"version" help:"Print the version."`
	Lead       leadCommand       `cmd:"" help:"Import and export leads over the API, with a key."`
	Submission submissionCommand `cmd:"" help:"List what forms received, and decide about it, over the API, with a key."`
	Webhook    webhookCommand    `cmd:"" help:"Follow a workspace's events over the API, with a key."`
}

// isClient reports whether a command line is one of clientCLI.
func isClient(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"lead", "submission", "webhook"}, args[0])
}

// clientCommand is a command of clientCLI. waits says how long to wait for the API; out takes the answer, and says what
// is said beside it.
type clientCommand interface {
	run(ctx context.Context, waits client.Options, out, says io.Writer) error
}

// runClient runs a client's command.
func runClient(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer, version string) error {
	var c clientCLI
	cmd, ok, err := config.Parse(&c, "gateway", about, config.Source{Args: args, Getenv: getenv, Stdout: stdout,
		Version: version})
	if !ok || err != nil {
		return err
	}
	return cmd.Selected().Target.Addr().Interface().(clientCommand).run(ctx, client.Options{}, stdout, os.Stderr)
}

// access is how a command reaches the API. The tag set of the field that embeds it names the scopes that it needs.
type access struct {
	URL string        `name:"url" from:"LEADGATE_URL" default:"http://127.0.0.1:8080" help:"Where the API is."`
	Key config.Secret `name:"key" from:"LEADGATE_KEY" required:"" help:"API key with ${scopes}."`
}

// Check says what is wrong with the address.
func (a access) Check() []error { return checkURL("url", a.URL) }

// checkURL says what is wrong with the URL that a flag has.
func checkURL(flag, text string) []error {
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return []error{config.Invalid(flag, "must begin with http:// or https:// and a host")}
	}
	return nil
}

// client returns a client of the API; waits are o's.
func (a access) client(o client.Options) *client.Client {
	o.URL, o.Key = a.URL, a.Key.Reveal()
	return client.New(o)
}
