package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
)

// answerTime is what a given store has for its first answer.
const answerTime = 3 * time.Second

// givenStores are the URLs of stores that are not ours; "" where dev starts a private one.
type givenStores struct{ database, redis string }

// findStores reads DATABASE_URL and REDIS_URL and tries what they name. A shell that has read DIR/env keeps the
// URLs of private stores, which are gone or elsewhere by the next session: those are left out.
func (s *settings) findStores(ctx context.Context, getenv func(string) string, con *console) (g givenStores,
	err error) {
	old, err := s.remembered()
	if err != nil {
		return g, err
	}
	for _, store := range []struct {
		variable, what string
		to             *string
		ask            func(ctx context.Context, text string) error
	}{{"DATABASE_URL", "Postgres", &g.database, pingPostgres}, {"REDIS_URL", "Redis", &g.redis, pingRedis}} {
		text := getenv(store.variable)
		switch {
		case text == "":
			continue
		case slices.Contains(old, text):
			con.say("%s is left over from a session in %s: ignored, using a private %s", store.variable, s.dir, store.what)
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		err := store.ask(ctx, text)
		cancel()
		var silent noAnswer
		if errors.As(err, &silent) {
			return g, fmt.Errorf("%s is set, but %s at %s does not answer: %w; start it, or unset %s to use a private one",
				store.variable, store.what, storeHost(text), silent.error, store.variable)
		}
		if err != nil {
			return g, fmt.Errorf("%s: %w; or unset it to use a private %s", store.variable, err, store.what)
		}
		con.say("%s is set: using %s at %s, and leaving its data alone", store.variable, store.what, storeHost(text))
		*store.to = text
	}
	return g, nil
}

// noAnswer is the error of a store that may be right but does not answer, as against a URL that is none.
type noAnswer struct{ error }

func pingPostgres(ctx context.Context, text string) error {
	db, err := pg.Open(text, pg.Options{MaxConns: 1, Application: "leadgate-dev"})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return noAnswer{err}
	}
	return nil
}

func pingRedis(ctx context.Context, text string) error {
	client, err := rdb.Open(text, rdb.Options{Timeout: answerTime})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return noAnswer{err}
	}
	return nil
}

// storeHost shows where a store is that has a valid URL, and nothing that may be secret: passwords can be in the query
// too.
func storeHost(text string) string {
	var hosts []string
	for one := range strings.SplitSeq(text, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil && u.Host != "" {
			hosts = append(hosts, u.Host)
		}
	}
	if hosts == nil {
		return "the place it names"
	}
	return strings.Join(hosts, ",")
}

// maxRemembered is how many URLs are kept; a shell older than that many sessions gets an error that says to unset them.
const maxRemembered = 200

func (s *settings) storesFile() string { return filepath.Join(s.dir, "stores") }

// remembered returns the URLs of the private stores of earlier sessions, oldest first.
func (s *settings) remembered() ([]string, error) {
	text, err := os.ReadFile(s.storesFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return strings.Fields(string(text)), nil
}

// remember adds a session's private stores to them.
func (s *settings) remember(sys *devstack.System) error {
	all, err := s.remembered()
	if err != nil {
		return err
	}
	if sys.Postgres != nil {
		all = append(all, sys.DatabaseURL)
	}
	if sys.Redis != nil {
		all = append(all, sys.RedisURL)
	}
	all = all[max(0, len(all)-maxRemembered):]
	return devstack.WriteFile(s.storesFile(), []byte(strings.Join(all, "\n")+"\n"))
}
