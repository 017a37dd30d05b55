package upkeep

// LookAt makes each sweep look at n endpoints at most.
func (u *Upkeep) LookAt(n int) { u.lookLimit = n }

// SeeTo makes each sweep see to n failing endpoints at most.
func (u *Upkeep) SeeTo(n int) { u.standLimit = n }
