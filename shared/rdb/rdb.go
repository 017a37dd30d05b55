// Package rdb is the only room that speaks Redis: how to open it, every key's name, every Lua script.
// Redis holds only hints: all of it may be flushed at any moment.
package rdb

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options of Open.
type Options struct {
	Timeout  time.Duration // of one command; 0: 500 ms. Short: a gateway works without Redis and must not wait for it
	PoolSize int           // 0: go-redis' default
	Retries  int           // 0: none
	TLS      TLS           // of rediss://

	// Current returns the URL as it is now, whose user and password each new connection uses; nil: they never change.
	Current func() (string, error)

	Breaker *Breaker // keeps callers from waiting for a node that does not answer; nil: they wait
}

// Breaker is what a circuit breaker in front of each node has to say.
type Breaker struct {
	Log      *slog.Logger // told when a node becomes unavailable or available again
	Fallback string       // what happens meanwhile
}

// Check returns what is wrong with a URL.
func Check(urls string) error {
	_, err := parse(urls)
	return err
}

// Open makes a client for redis://, rediss:// or unix:// URLs, several hosts of which are a cluster's nodes, and for
// redis-sentinel://. Of one address it asks whether it is the endpoint of a cluster; where nothing answers, it finds
// out when something does.
func Open(urls string, opt Options) (redis.UniversalClient, error) {
	t, err := parse(urls)
	if err != nil {
		return nil, err
	}
	if t.tls {
		if err := opt.TLS.Check(); err != nil {
			return nil, err
		}
	}
	if opt.Timeout == 0 {
		opt.Timeout = 500 * time.Millisecond
	}
	if opt.Retries == 0 {
		opt.Retries = -1
	}
	t.set(opt)
	switch t.topology {
	case sentinel:
		return watched(redis.NewFailoverClient(t.Failover()), opt.Breaker), nil
	case cluster:
		return t.cluster(opt, nil), nil
	case single:
		return t.single(opt), nil
	}
	client := t.single(opt)
	ctx, cancel := context.WithTimeout(context.Background(), opt.Timeout)
	defer cancel()
	is, err := inCluster(ctx, client)
	if err == nil && !is {
		return client, nil
	}
	client.Close()
	if err == nil {
		return t.cluster(opt, nil), nil
	}
	return t.cluster(opt, t.finder(opt)), nil
}

// set copies what all topologies have.
func (t *target) set(opt Options) {
	t.DialTimeout, t.ReadTimeout, t.WriteTimeout, t.PoolTimeout = opt.Timeout, opt.Timeout, opt.Timeout, opt.Timeout
	t.ContextTimeoutEnabled = true // else a read ignores its caller's deadline
	t.DialerRetries = 1            // a Redis that is down is noticed at once
	t.MaxRetries, t.PoolSize, t.PipelinePoolSize = opt.Retries, opt.PoolSize, opt.PoolSize
	t.DisableIdentity = true // this and the next would each need a right that our user has no other use for
	t.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if opt.Current != nil {
		t.CredentialsProviderContext = newCredentials(t, opt.Current)
	}
	if t.tls {
		t.Dialer = opt.TLS.dialer(t.Addrs, t.unverified, opt.Timeout)
	}
}

// newCredentials returns what returns the user and password of the URL as it is now. Of one that cannot be read, or is not
// valid, as while somebody writes it, those of before hold.
func newCredentials(first *target, current func() (string, error)) func(context.Context) (string, string, error) {
	var valid atomic.Pointer[target]
	valid.Store(first)
	return func(context.Context) (user, password string, err error) {
		if text, err := current(); err == nil {
			if now, err := parse(text); err == nil {
				valid.Store(&now)
			}
		}
		t := valid.Load()
		return t.Username, t.Password, nil
	}
}

func (t *target) single(opt Options) *redis.Client {
	o := t.Simple()
	if t.socket != "" {
		o.Network, o.Addr = "unix", t.socket
	}
	return watched(redis.NewClient(o), opt.Breaker)
}

// reloadEvery is how old a client's picture of a cluster may be. What fails, or has moved, renews it at once.
const reloadEvery = 10 * time.Second

// cluster makes a client of a cluster. slots says which node has what; nil: go-redis asks the nodes.
func (t *target) cluster(opt Options, slots func(context.Context) ([]redis.ClusterSlot, error)) *redis.ClusterClient {
	o := t.Cluster()
	o.ClusterSlots, o.ClusterStateReloadInterval = slots, reloadEvery
	c := redis.NewClusterClient(o)
	c.OnNewNode(func(node *redis.Client) { node.AddHook(newNodeHook(node, c, opt.Breaker)) })
	return c
}

// watched puts the breaker, if there is one, in front of a client of one server.
func watched(c *redis.Client, b *Breaker) *redis.Client {
	if b != nil {
		c.AddHook(newNodeHook(c, nil, b))
	}
	return c
}

// inCluster reports whether the server that c reaches is a node of a cluster. One that answers with an error is none:
// it is too old to know the question, or a stand-in, or it refuses us, and then nothing works.
func inCluster(ctx context.Context, c *redis.Client) (bool, error) {
	hello := redis.NewMapStringInterfaceCmd(ctx, "hello", c.Options().Protocol) // Redis 6.0 wants it named
	if err := c.Process(ctx, hello); err != nil {
		if isReply(err) {
			err = nil
		}
		return false, err
	}
	return hello.Val()["mode"] == "cluster", nil
}
