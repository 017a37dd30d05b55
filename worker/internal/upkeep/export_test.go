package upkeep

// LookAt makes each sweep look at n endpoints at most.
func (u *Upkeep) LookAt(n int) { u.lookLimit = n }
