package rdb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/limit"
)

// nodeHook watches the commands that go to one node. When the node fails, it has the picture of the cluster renewed,
// because another node may have become the master; go-redis would do so only when a node says that something has moved.
// With a breaker it keeps callers from the failed node, and from none but that: what is at other nodes goes on.
type nodeHook struct {
	addr    string
	cluster *redis.ClusterClient // nil: it is none
	say     *Breaker             // nil: without a breaker
	breaker limit.Breaker
	last    atomic.Pointer[error] // of the last failure
}

func newNodeHook(node *redis.Client, cluster *redis.ClusterClient, say *Breaker) *nodeHook {
	return &nodeHook{addr: node.Options().Addr, cluster: cluster, say: say}
}

// openError is what a caller gets that is kept away. It unwraps to nothing, so that go-redis does not try again.
type openError struct {
	addr  string
	cause error // of the last failure
}

func (e *openError) Error() string { return "redis was unavailable a moment ago at " + e.addr }

// connecting marks the commands by which go-redis begins a connection, for the command that needs it.
type connecting struct{}

func (h *nodeHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *nodeHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if ctx.Value(connecting{}) != nil {
			return next(ctx, cmd)
		}
		if err := h.kept(); err != nil {
			cmd.SetErr(err)
			return err
		}
		err := next(context.WithValue(ctx, connecting{}, true), cmd)
		h.record(ctx, err)
		return err
	}
}

func (h *nodeHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if ctx.Value(connecting{}) != nil {
			return next(ctx, cmds)
		}
		if err := h.kept(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		err := next(context.WithValue(ctx, connecting{}, true), cmds)
		failed := err
		for _, cmd := range cmds {
			if cmd.Err() != nil && !unavailable(failed) {
				failed = cmd.Err()
			}
		}
		h.record(ctx, failed)
		return err
	}
}

// kept returns an error while callers are kept away.
func (h *nodeHook) kept() error {
	if h.say == nil || h.breaker.Allow(time.Now()) {
		return nil
	}
	return &openError{h.addr, *h.last.Load()}
}

func (h *nodeHook) record(ctx context.Context, err error) {
	if !unavailable(err) {
		if err == nil || !errors.Is(err, context.Canceled) {
			h.recovered()
		}
		return
	}
	if h.cluster != nil {
		h.cluster.ReloadState(ctx)
	}
	if h.say == nil {
		return
	}
	h.last.Store(&err)
	if h.breaker.Failure(time.Now()) && h.say.Log != nil {
		logState(ctx, h.say.Log, stateOf(err), "node", h.addr, "fallback", h.say.Fallback)
	}
}

func (h *nodeHook) recovered() {
	if h.say != nil && h.breaker.Success() && h.say.Log != nil {
		h.say.Log.Info("redis available", "node", h.addr)
	}
}

// refusals begin the replies of a server that does nothing for us now.
var refusals = []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "NOAUTH", "WRONGPASS", "DENIED", "OOM",
	"MISCONF", "BUSY Redis", "NOREPLICAS", "max number of clients", "invalid password", "AUTH"}

// unavailable reports whether err says that a node does not answer, or refuses everything. An error about one command
// does not.
func unavailable(err error) bool {
	if err == nil || err == redis.Nil || errors.Is(err, context.Canceled) {
		return false
	}
	return !isReply(err) || slices.ContainsFunc(refusals, func(p string) bool { return redis.HasErrorPrefix(err, p) })
}

// isReply reports whether a server has answered with err. What sentinels answer is none: it comes wrapped.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !strings.Contains(err.Error(), "sentinels")
}
