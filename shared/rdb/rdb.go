// Package rdb is the only room that speaks Redis: how to open it, every key's name, every Lua script.
// Redis holds only hints: all of it may be flushed at any moment.
package rdb

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Options of Open.
type Options struct {
	Timeout  time.Duration // of one command; 0: 500 ms. Short: a gateway works without Redis and must not wait for it
	PoolSize int           // 0: go-redis' default
	Retries  int           // 0: none
}

// Open makes a client for redis://, rediss:// or unix:// URLs; several, separated by commas, are a cluster's nodes. It
// connects when it is first used.
func Open(urls string, opt Options) (redis.UniversalClient, error) {
	if opt.Timeout == 0 {
		opt.Timeout = 500 * time.Millisecond
	}
	if opt.Retries == 0 {
		opt.Retries = -1
	}
	all := strings.Split(urls, ",")
	first, err := parseURL(all[0])
	if err != nil {
		return nil, err
	}
	u := &redis.UniversalOptions{
		Addrs: []string{first.Addr}, DB: first.DB,
		Username: first.Username, Password: first.Password, TLSConfig: first.TLSConfig,
		DialTimeout: opt.Timeout, ReadTimeout: opt.Timeout, WriteTimeout: opt.Timeout, PoolTimeout: opt.Timeout,
		ContextTimeoutEnabled: true, // else a read ignores its caller's deadline
		DialerRetries:         1,    // a Redis that is down is noticed at once
		MaxRetries:            opt.Retries, PoolSize: opt.PoolSize, PipelinePoolSize: opt.PoolSize,
		DisableIdentity: true,
	}
	for _, more := range all[1:] {
		o, err := parseURL(more)
		if err != nil {
			return nil, err
		}
		u.Addrs = append(u.Addrs, o.Addr)
	}
	if first.Network == "unix" {
		first.DialTimeout, first.ReadTimeout = opt.Timeout, opt.Timeout
		first.WriteTimeout, first.PoolTimeout = opt.Timeout, opt.Timeout
		first.ContextTimeoutEnabled, first.DialerRetries, first.DisableIdentity = true, 1, true
		first.MaxRetries, first.PoolSize = opt.Retries, opt.PoolSize
		return redis.NewClient(first), nil
	}
	return redis.NewUniversalClient(u), nil
}

// parseURL refuses a URL without a host, which go-redis takes for this machine. Its error does not repeat the URL,
// which may hold a password.
func parseURL(text string) (*redis.Options, error) {
	text = strings.TrimSpace(text)
	o, err := redis.ParseURL(text)
	u, bad := url.Parse(text)
	if err != nil || bad != nil || u.Fragment != "" || u.Scheme != "unix" && u.Hostname() == "" {
		return nil, errors.New("redis URL: want redis://user:password@host:port/0, " +
			"with special characters of the password percent-encoded")
	}
	return o, nil
}
