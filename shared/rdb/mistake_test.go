package rdb_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// user makes a user with a password.
func user(name, may string) []string {
	return []string{"--user", name, "on", ">secret", "~*", may}
}

// TestMistakesAreNoOutage has settings that no waiting mends.
func TestMistakesAreNoOutage(t *testing.T) {
	t.Parallel()
	authority, stranger := redistest.NewAuthority(t), redistest.NewAuthority(t)
	plain := redistest.StartWith(t, devstack.RedisOptions{Args: slices.Concat(
		user("reader", "+@read"), user("asks", "+@all"))})
	locked := redistest.StartWith(t, devstack.RedisOptions{})
	admin := redistest.Open(t, locked)
	if err := admin.Do(t.Context(), "acl", "setuser", "default", "resetpass", ">secret").Err(); err != nil {
		t.Fatal(err)
	}
	secure := redistest.StartWith(t, devstack.RedisOptions{TLS: authority.Server("127.0.0.1")})
	other := redistest.StartWith(t, devstack.RedisOptions{TLS: authority.Server("redis.example.com")})
	anonymous := authority.Client()
	anonymous.Cert, anonymous.Key = nil, nil
	sentinel := redistest.StartSentinel(t, devstack.RedisOptions{}, "mymaster", plain)
	for name, test := range map[string]struct {
		url  string
		tls  rdb.TLS
		want string
	}{
		"a wrong password":         {"redis://asks:wrong@" + plain.Addr(), rdb.TLS{}, "password"},
		"a user who is not known":  {"redis://nobody:secret@" + plain.Addr(), rdb.TLS{}, "the user"},
		"no password":              {"redis://" + locked.Addr(), rdb.TLS{}, "asks for a password"},
		"a user who may not write": {"redis://reader:secret@" + plain.Addr(), rdb.TLS{}, "ACL"},
		"an unknown authority":     {secure.URL(), stranger.Client(), "LEADGATE_REDIS_CA"},
		"the system's authorities": {secure.URL(), rdb.TLS{}, "LEADGATE_REDIS_CA"},
		"another name":             {other.URL(), authority.Client(), "other names"},
		"no certificate of ours":   {secure.URL(), anonymous, "LEADGATE_REDIS_CERT"},
		"a database too high":      {"redis://" + plain.Addr() + "/99", rdb.TLS{}, "database"},
		"a sentinel as a server":   {sentinel.URL(), rdb.TLS{}, "redis-sentinel://"},
		"another master's name":    {"redis-sentinel://" + sentinel.Addr() + "/other", rdb.TLS{}, "do not know the master"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			c := redistest.OpenURL(t, test.url, rdb.Options{TLS: test.tls, Timeout: 5 * time.Second,
				Breaker: &rdb.Breaker{Log: slog.New(slog.NewTextHandler(&said, nil))}})
			for range 2 { // the second time the breaker answers
				s := rdb.Ready(t.Context(), c)
				if !strings.Contains(s.Mistake, test.want) || !strings.HasPrefix(s.String(), "misconfigured: ") {
					t.Errorf("Ready() = %v, %v, want a mistake with %q", s, s.Err, test.want)
				}
				if strings.Contains(fmt.Sprint(s), "secret") || strings.Contains(fmt.Sprint(s), "127.0.0.1") {
					t.Errorf("Ready() = %v, which names what nobody else should know", s)
				}
			}
			rdb.LogState(t.Context(), slog.New(slog.NewTextHandler(&said, nil)), c, "nothing")
			if !strings.Contains(said.String(), `level=ERROR msg="redis misconfigured"`) {
				t.Errorf("the log says %s, want an error", said.String())
			}
		})
	}
}

// TestOutagesAreNoMistake has a server that is away, and one that ends connections, as a proxy does while it is.
func TestOutagesAreNoMistake(t *testing.T) {
	t.Parallel()
	secure := redistest.StartWith(t, devstack.RedisOptions{TLS: redistest.NewAuthority(t).Server("127.0.0.1")})
	var said bytes.Buffer
	rdb.LogState(t.Context(), slog.New(slog.NewTextHandler(&said, nil)),
		redistest.OpenURL(t, "redis://"+secure.Addr(), rdb.Options{}), "nothing")
	if text := said.String(); !strings.Contains(text, `level=WARN msg="redis unavailable"`) ||
		!strings.Contains(text, "rediss://") {
		t.Errorf("the log says %s of TLS without rediss://, want a warning with a hint", text)
	}
	r := redistest.Start(t)
	c := redistest.OpenURL(t, r.URL(), rdb.Options{})
	r.Kill()
	if s := rdb.Ready(t.Context(), c); s.String() != "away" {
		t.Errorf("Ready() without a server = %v, want away", s)
	}
}

// TestEachNodeHasItsName has a cluster of which each node has a certificate for its own address alone.
func TestEachNodeHasItsName(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Skipf("127.0.0.2 is no address of this machine: %v", err)
	} else {
		l.Close()
	}
	authority := redistest.NewAuthority(t)
	cluster := redistest.StartCluster(t, devstack.ClusterOptions{Node: func(n int, opt *devstack.RedisOptions) {
		opt.Host = fmt.Sprintf("127.0.0.%d", n+1)
		opt.TLS = authority.Server(opt.Host)
	}})
	for _, url := range []string{cluster.Nodes[1].URL(), cluster.URL()} {
		c := redistest.OpenURL(t, url, rdb.Options{TLS: authority.Client(), Timeout: 5 * time.Second})
		if s := rdb.Ready(t.Context(), c); !s.OK() || s.Nodes != 3 {
			t.Fatalf("Ready() = %v, %v, want ok", s, s.Err)
		}
		wantAll(t, c, newWorkspaces(10))
	}
}

// TestSentinel kills a master that a Sentinel watches.
func TestSentinel(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := func(args ...string) devstack.RedisOptions {
		return devstack.RedisOptions{TLS: authority.Server("redis.example.com", "127.0.0.1"),
			Args: slices.Concat(user("app", "+@all"), []string{"--repl-diskless-sync-delay", "0"}, args)}
	}
	master := redistest.StartWith(t, server())
	host, port, _ := net.SplitHostPort(master.Addr())
	redistest.StartWith(t, server("--replicaof", host, port))
	sentinel := redistest.StartSentinel(t, devstack.RedisOptions{TLS: authority.Server("127.0.0.1")}, "mymaster", master)
	c := redistest.OpenURL(t, "rediss-sentinel://app:secret@"+sentinel.Addr()+"/mymaster/0",
		rdb.Options{TLS: authority.Client(), Timeout: 5 * time.Second, Breaker: &rdb.Breaker{}})
	wantAll(t, c, newWorkspaces(5))
	master.Kill()
	if s := rdb.Ready(t.Context(), c); s.String() != "away" {
		t.Errorf("Ready() right after = %v, %v, want away", s, s.Err)
	}
	killed := time.Now()
	testwait.Until(t, "the replica is the master", func() bool { return rdb.Ready(t.Context(), c).OK() })
	t.Logf("felt for %v", time.Since(killed).Round(10*time.Millisecond))
	wantAll(t, c, newWorkspaces(5))
}
