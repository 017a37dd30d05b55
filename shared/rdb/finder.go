package rdb

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// slots is how many a cluster has.
const slots = 16384

// finder returns what finds out who has which slot, starting from one address of which nobody knows yet what it is: a
// server, which has them all, or a way into a cluster. It also asks the nodes that it has heard of, because the first
// may be gone.
func (t *target) finder(opt Options) func(context.Context) ([]redis.ClusterSlot, error) {
	if opt.Breaker != nil {
		opt.Breaker = &Breaker{} // the clients of nodes say what there is to say
	}
	var mu sync.Mutex
	first := t.single(opt)
	others := map[string]*redis.Client{}
	return func(ctx context.Context) ([]redis.ClusterSlot, error) {
		mu.Lock()
		asked := []*redis.Client{first}
		for _, c := range others {
			asked = append(asked, c)
		}
		mu.Unlock()
		var failed error
		for _, c := range asked {
			found, err := t.slotsOf(ctx, c)
			if err != nil {
				failed = err
				continue
			}
			mu.Lock()
			others = t.known(others, found, opt)
			mu.Unlock()
			return found, nil
		}
		return nil, failed
	}
}

func (t *target) slotsOf(ctx context.Context, c *redis.Client) ([]redis.ClusterSlot, error) {
	is, err := inCluster(ctx, c)
	if err != nil {
		return nil, err
	}
	if is {
		return c.ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS needs Redis 7
	}
	return []redis.ClusterSlot{{End: slots - 1, Nodes: []redis.ClusterNode{{Addr: t.Addrs[0]}}}}, nil
}

// known returns clients of the nodes that were found, and closes those of others.
func (t *target) known(former map[string]*redis.Client, found []redis.ClusterSlot, opt Options) map[string]*redis.Client {
	now := map[string]*redis.Client{}
	for _, slot := range found {
		for _, node := range slot.Nodes {
			if c := former[node.Addr]; c != nil {
				now[node.Addr] = c
			} else if now[node.Addr] == nil && node.Addr != t.Addrs[0] {
				at := *t
				at.Addrs = []string{node.Addr}
				now[node.Addr] = at.single(opt)
			}
		}
	}
	for addr, c := range former {
		if now[addr] == nil {
			c.Close()
		}
	}
	return now
}
