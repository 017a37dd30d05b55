package upkeep

// LookAt makes each sweep look at n endpoints at most.
func (u *Upkeep) LookAt(n int) { u.lookLimit = n }

// SeeTo makes each sweep see to n failing endpoints at most.
func (u *Upkeep) SeeTo(n int) { u.standLimit = n }

// ClearOne makes each sweep erase one lead, and delete one old key.
func (u *Upkeep) ClearOne() { u.purgeBatch, u.keyBatch, u.clearSlice = 1, 1, 0 }
