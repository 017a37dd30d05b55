package rdb

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// topology is what answers at the addresses of a URL.
type topology int

const (
	asked    topology = iota // one address: the server there says whether it is part of a cluster
	single                   // one server, or a proxy that looks like one
	cluster                  // nodes of a cluster, or its configuration endpoint
	sentinel                 // sentinels, which know the master
)

// target is what a URL says.
type target struct {
	redis.UniversalOptions // addresses, user, password, database, master
	topology               topology
	tls, unverified        bool
	socket                 string // of unix://
}

var errURL = errors.New("redis URL: want redis://user:password@host:port/0, rediss:// for TLS, several hosts with " +
	"commas for a cluster, or redis-sentinel://user:password@host:port,host:port/master/0, " +
	"with special characters of the password percent-encoded")

// parse reads a URL, or several with commas. Its error repeats nothing of it, because it may hold a password.
func parse(text string) (t target, err error) {
	first, more, several := strings.Cut(strings.TrimSpace(text), ",")
	// What follows the last host belongs to all: redis://user:password@h1:6379,h2:6379/0?cluster=true
	if more != "" && !strings.Contains(more, "://") {
		if end := strings.IndexAny(more, "/?"); end >= 0 {
			first, more = first+more[end:], more[:end]
		}
	}
	u, err := url.Parse(first)
	if err != nil || u.Fragment != "" || u.Scheme != "unix" && u.Hostname() == "" {
		return t, errURL // without a host go-redis takes this machine
	}
	var hosts []string
	for _, text := range strings.Split(more, ",") {
		if !several {
			break
		}
		if !strings.Contains(text, "://") {
			text = u.Scheme + "://" + strings.TrimSpace(text)
		}
		other, err := url.Parse(strings.TrimSpace(text))
		if err != nil || other.Scheme != u.Scheme || other.Hostname() == "" {
			return t, errURL
		}
		hosts = append(hosts, other.Host)
	}
	switch kind, secure := strings.CutPrefix(u.Scheme, "rediss"); {
	case u.Scheme == "unix":
		return t.unix(first)
	case u.Scheme == "redis-sentinel" || secure && kind == "-sentinel":
		t.tls = secure
		return t.sentinels(u, hosts)
	case u.Scheme == "redis" || u.Scheme == "rediss":
		t.tls = secure
		return t.servers(u, hosts)
	}
	return t, errURL
}

func (t target) unix(text string) (target, error) {
	o, err := redis.ParseURL(text)
	if err != nil {
		return t, errURL
	}
	t.socket, t.topology = o.Addr, single
	t.DB, t.Username, t.Password = o.DB, o.Username, o.Password
	return t, nil
}

// servers reads redis:// and rediss://. Parameters are those of go-redis, of which we set our own, and cluster.
func (t target) servers(u *url.URL, hosts []string) (target, error) {
	q := u.Query()
	if is, err := strconv.ParseBool(q.Get("cluster")); err == nil {
		t.topology = single
		if is {
			t.topology = cluster
		}
	} else if q.Has("cluster") {
		return t, errors.New("redis URL: cluster must be true or false")
	}
	if len(hosts) > 0 {
		t.topology = cluster
	}
	q.Del("cluster")
	u.RawQuery = q.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return t, errURL
	}
	t.Addrs = append([]string{o.Addr}, withPort(hosts, "6379")...)
	t.DB, t.Username, t.Password = o.DB, o.Username, o.Password
	t.unverified = o.TLSConfig != nil && o.TLSConfig.InsecureSkipVerify
	if t.topology == cluster && t.DB != 0 {
		return t, fmt.Errorf("redis URL: a cluster has database 0 only, not %d", t.DB)
	}
	return t, nil
}

// sentinels reads redis-sentinel:// and rediss-sentinel://, which is TLS to the sentinels and the servers. The user and
// the password are those of the servers; sentinels that ask for some have parameters of their own.
func (t target) sentinels(u *url.URL, hosts []string) (target, error) {
	t.topology = sentinel
	t.Addrs = withPort(append([]string{u.Host}, hosts...), "26379")
	t.Username = u.User.Username()
	t.Password, _ = u.User.Password()
	name, db, numbered := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if t.MasterName = name; name == "" {
		return t, errors.New("redis URL: want the name of the master: redis-sentinel://host:26379,host:26379/master/0")
	}
	if n, err := strconv.Atoi(db); numbered && (err != nil || n < 0) {
		return t, errURL
	} else if numbered {
		t.DB = n
	}
	q := u.Query()
	for name := range q {
		if !slices.Contains([]string{"sentinel_username", "sentinel_password"}, name) {
			return t, fmt.Errorf("redis URL: parameter %s is not known with sentinels", name)
		}
	}
	t.SentinelUsername, t.SentinelPassword = q.Get("sentinel_username"), q.Get("sentinel_password")
	return t, nil
}

func withPort(hosts []string, port string) []string {
	all := make([]string, len(hosts))
	for i, host := range hosts {
		u := url.URL{Host: host}
		if all[i] = host; u.Port() == "" {
			all[i] = net.JoinHostPort(u.Hostname(), port)
		}
	}
	return all
}
