package upkeep

import "time"

// LimitScan makes each sweep read n endpoints at most.
func (u *Upkeep) LimitScan(n int) { u.scanLimit = n }

// LimitProbeTasks makes each sweep see to n failing endpoints at most.
func (u *Upkeep) LimitProbeTasks(n int) { u.probeLimit = n }

// WatchOne makes each sweep compare one endpoint with its workspace's target, and begin again in the next.
func (u *Upkeep) WatchOne() {
	u.watchLimit = 1
	for _, c := range u.chores {
		if c.name == "slow endpoints" {
			c.every = 0
		}
	}
}

// PurgeOne makes each sweep erase one lead, and delete one idempotency key.
func (u *Upkeep) PurgeOne() { u.purgeBatch, u.keyBatch, u.purgeTime = 1, 1, 0 }

// DeleteSlowly makes each sweep erase one row of a deleted workspace.
func (u *Upkeep) DeleteSlowly(settle time.Duration) {
	u.deletionBatch, u.purgeTime, u.settle = 1, 0, settle
}

// SettleAfter makes a deletion look through a workspace once more so long after its row is gone.
func (u *Upkeep) SettleAfter(d time.Duration) { u.settle = d }
