package rdb

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// op is one call of a script.
type op struct {
	script *redis.Script
	keys   []string
	args   []any
}

// runAll runs ops in one pipeline and returns a command for each, which carries its own error: in a cluster some nodes
// may answer and others not. A pipeline cannot fall back from EVALSHA to EVAL, so the ops whose script a node does not
// know are run again with its text.
func runAll(ctx context.Context, c redis.UniversalClient, ops []op) []*redis.Cmd {
	cmds := make([]*redis.Cmd, len(ops))
	unknown := false
	run := func(again bool) {
		sent, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, o := range ops {
				switch {
				case !again:
					cmds[i] = o.script.EvalSha(ctx, p, o.keys, o.args...)
				case unknownScript(cmds[i].Err()):
					cmds[i] = o.script.Eval(ctx, p, o.keys, o.args...)
				}
			}
			return nil
		})
		failed := func(cmd redis.Cmder) bool { return cmd.Err() != nil }
		if err != nil && !slices.ContainsFunc(sent, failed) { // of a connection that was refused go-redis tells no command
			for _, cmd := range sent {
				cmd.SetErr(err)
			}
		}
	}
	if len(ops) == 0 {
		return cmds
	}
	run(false)
	for _, cmd := range cmds {
		unknown = unknown || unknownScript(cmd.Err())
	}
	if unknown {
		run(true)
	}
	return cmds
}

func unknownScript(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") }

// byWorkspace groups the indices 0..n-1 by workspace; groups come in the order of their first index.
func byWorkspace(n int, workspace func(i int) id.UUID) [][]int {
	var groups [][]int
	at := map[id.UUID]int{}
	for i := range n {
		w := workspace(i)
		g, ok := at[w]
		if !ok {
			g = len(groups)
			at[w] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}
