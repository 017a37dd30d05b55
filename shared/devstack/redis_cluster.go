package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// ClusterOptions of StartRedisCluster.
type ClusterOptions struct {
	Dir     string                         // holds what nodes know of each other
	Masters int                            // 0: 3
	Replica bool                           // one for each master
	Node    func(n int, opt *RedisOptions) // what is special about a node, masters first; nil: nothing
	Timeout time.Duration                  // after which a node that does not answer has failed; 0: 2 s
	Getenv  func(string) string            // as of RedisOptions
}

// RedisCluster is a private cluster: redis-server, several times. The in-process stand-in can be none.
type RedisCluster struct {
	Nodes   []*Redis // masters first
	masters int
}

// HasRedisServer reports whether the program is on this machine, or REDIS_SERVER says that one is.
func HasRedisServer(getenv func(string) string) bool {
	bin, err := findRedis(getenv)
	return bin != "" || err != nil
}

var errNoRedisServer = errors.New("redis-server is not installed")

// StartRedisCluster starts a cluster and returns when it takes writes.
func StartRedisCluster(ctx context.Context, opt ClusterOptions) (*RedisCluster, error) {
	if !HasRedisServer(opt.Getenv) {
		return nil, errNoRedisServer
	}
	c := &RedisCluster{masters: opt.Masters}
	if c.masters == 0 {
		c.masters = 3
	}
	if opt.Timeout == 0 {
		opt.Timeout = 2 * time.Second
	}
	total := c.masters
	if opt.Replica {
		total *= 2
	}
	c.Nodes = make([]*Redis, total)
	var g errgroup.Group
	for n := range total {
		node := RedisOptions{Dir: filepath.Join(opt.Dir, "node"+strconv.Itoa(n)), Getenv: opt.Getenv}
		if opt.Node != nil {
			opt.Node(n, &node)
		}
		g.Go(func() (err error) {
			if node.Port, err = freeClusterPort(); err != nil {
				return err
			}
			node.Args = append(node.Args, "--cluster-enabled", "yes",
				"--cluster-announce-ip", cmp.Or(node.Host, "127.0.0.1"),
				"--cluster-node-timeout", strconv.Itoa(int(opt.Timeout.Milliseconds())),
				"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
			c.Nodes[n], err = StartRedis(ctx, node)
			return err
		})
	}
	err := g.Wait()
	if err == nil {
		err = c.form(ctx)
	}
	if err != nil {
		c.Kill()
		return nil, fmt.Errorf("start redis cluster: %w", err)
	}
	return c, nil
}

// form makes a cluster of the nodes.
func (c *RedisCluster) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	clients := make([]redis.UniversalClient, len(c.Nodes))
	for n, node := range c.Nodes {
		client, err := node.open()
		if err != nil {
			return err
		}
		defer client.Close()
		clients[n] = client
	}
	const slots = 16384
	for n, client := range clients {
		if n < c.masters {
			own := []any{"cluster", "addslots"} // Redis before 7 takes no ranges
			for slot := n * slots / c.masters; slot < (n+1)*slots/c.masters; slot++ {
				own = append(own, slot)
			}
			if err := client.Do(ctx, own...).Err(); err != nil {
				return err
			}
		}
		host, port, _ := net.SplitHostPort(c.Nodes[n].Addr())
		if err := errors.Join(client.Do(ctx, "cluster", "set-config-epoch", n+1).Err(),
			clients[0].Do(ctx, "cluster", "meet", host, port).Err()); err != nil {
			return err
		}
	}
	for n, client := range clients[c.masters:] {
		master, err := clients[n].Do(ctx, "cluster", "myid").Text()
		if err != nil {
			return err
		}
		if err := until(ctx, func() error { return client.Do(ctx, "cluster", "replicate", master).Err() }); err != nil {
			return err
		}
	}
	for n, client := range clients {
		err := until(ctx, func() error {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && (!strings.Contains(info, "cluster_state:ok") ||
				!strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(clients)))) {
				err = errors.New("the cluster is not formed: " + info)
			}
			if err != nil || n < c.masters {
				return err
			}
			if info, err = client.Info(ctx, "replication").Result(); err == nil &&
				!strings.Contains(info, "master_link_status:up") {
				err = errors.New("the replica is not in step")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// until does what until it is done.
func until(ctx context.Context, what func() error) error {
	for {
		err := what()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL names all nodes.
func (c *RedisCluster) URL() string {
	var urls []string
	for _, n := range c.Nodes {
		urls = append(urls, n.URL())
	}
	return strings.Join(urls, ",")
}

// Node is the node that listens at addr; nil: none of ours does.
func (c *RedisCluster) Node(addr string) *Redis {
	for _, n := range c.Nodes {
		if n.Addr() == addr {
			return n
		}
	}
	return nil
}

// Kill ends all nodes at once, if there are any.
func (c *RedisCluster) Kill() {
	if c == nil {
		return
	}
	for _, n := range c.Nodes {
		if n != nil {
			n.Kill()
		}
	}
}

// StartSentinel starts one that watches master under this name, and takes it for gone after a second.
func StartSentinel(ctx context.Context, opt RedisOptions, name string, master *Redis) (*Redis, error) {
	if !HasRedisServer(opt.Getenv) {
		return nil, errNoRedisServer
	}
	host, port, _ := net.SplitHostPort(master.Addr())
	opt.Config = fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 1\nsentinel down-after-milliseconds %[1]s 1000\n"+
		"sentinel failover-timeout %[1]s 5000\n%[4]s", name, host, port, opt.Config)
	return StartRedis(ctx, opt)
}
