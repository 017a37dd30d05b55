package rdb

import (
	"context"
	"errors"
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

// runAll runs ops in one pipeline and returns a command for each, which carries its own error; err is that of the
// pipeline as a whole. A pipeline cannot fall back from EVALSHA to EVAL, so the ops whose script Redis does not know
// are run again with its text.
func runAll(ctx context.Context, c redis.UniversalClient, ops []op) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(ops))
	run := func(again bool) error {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
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
		return err
	}
	if len(ops) == 0 {
		return cmds, nil
	}
	err := run(false)
	if unknownScript(err) {
		err = run(true)
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		err = nil // that of one command, which carries it
	}
	return cmds, err
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
