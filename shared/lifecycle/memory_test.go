package lifecycle

import (
	"errors"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		cgroup uint64
		err    error
		limit  int64
		from   string
		budget int64
	}{
		{"a container of 256 MiB", 256 << 20, nil, 241591910, "cgroup", 60397977},
		{"a small one", 64 << 20, nil, 60397977, "cgroup", minBudget},
		{"a large one", 16 << 30, nil, 15461882265, "cgroup", maxBudget},
		{"no limit", 0, memlimit.ErrNoLimit, 512 << 20, "default", 128 << 20},
		{"no cgroup", 0, errors.New("no cgroup"), 512 << 20, "default", 128 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit, from := memoryLimit(c.cgroup, c.err)
			if limit != c.limit || from != c.from {
				t.Errorf("memoryLimit(%d, %v) = %d from %s, want %d from %s", c.cgroup, c.err, limit, from, c.limit, c.from)
			}
			if got := budgetOf(limit); got != c.budget {
				t.Errorf("budgetOf(%d) = %d, want %d", limit, got, c.budget)
			}
		})
	}
}
