package lifecycle

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/telemetry"
)

const (
	// gcPercent lets garbage grow to four times what lives, as long as that stays below the memory limit. What lives is
	// a few megabytes, and collecting it a dozen times a second under load took an eighth of the gateway's processor
	// time.
	gcPercent = 400

	cgroupShare  = 0.9       // of a cgroup's limit: the rest is for what the Go runtime does not count
	defaultLimit = 512 << 20 // bytes, where neither the operator nor a cgroup sets a limit
)

// Bounds of a memory budget, bytes.
const (
	minBudget = 24 << 20 // its quarter, which one workspace may have, holds the largest body
	maxBudget = 512 << 20
)

// limitMemory sets the memory limit of the Go runtime, unless the operator set GOMEMLIMIT: to 90 % of the cgroup's
// limit, or to 512 MiB where there is none. It is a soft limit: towards it garbage is collected more often. Below it
// garbage is collected seldom, unless the operator set GOGC. It returns the limit in bytes.
func limitMemory(getenv func(string) string, log *slog.Logger) int64 {
	most, from := debug.SetMemoryLimit(-1), "GOMEMLIMIT" // which the runtime has read
	if getenv("GOMEMLIMIT") == "" {
		most, from = memoryLimit(memlimit.FromCgroup())
		debug.SetMemoryLimit(most)
	}
	if getenv("GOGC") == "" && most < math.MaxInt64 {
		debug.SetGCPercent(gcPercent)
	}
	log.Info("memory limit set", "bytes", most, "from", from)
	return most
}

// memoryLimit returns the limit of a process whose cgroup has one, or returned an error.
func memoryLimit(cgroup uint64, err error) (most int64, from string) {
	if err != nil { // there is no cgroup, or it has no limit
		return defaultLimit, "default"
	}
	return int64(float64(cgroup) * cgroupShare), "cgroup"
}

// Memory gives a process its memory limit, and returns the budget of what it holds for workspaces: of set bytes, or
// where that is 0 of a quarter of the limit. Work on what is held, and garbage, take the rest.
func Memory(set int64, getenv func(string) string, log *slog.Logger, r prometheus.Registerer) *limit.Budget[id.UUID] {
	most := limitMemory(getenv, log)
	b := limit.NewBudget[id.UUID](cmp.Or(set, budgetOf(most)))
	telemetry.RegisterBudget(r, b.Usage)
	return b
}

// budgetOf is the budget of a process with a memory limit.
func budgetOf(limit int64) int64 { return min(max(limit/4, minBudget), maxBudget) }

// CheckBudget returns what is wrong with a memory budget that an operator has set; 0 means that none was.
func CheckBudget(set int64) error {
	if set != 0 && set < minBudget {
		return fmt.Errorf("must be 0, or at least %d MiB", minBudget>>20)
	}
	return nil
}
