package process

// LeaseLimit is how many deliveries come with one lease.
const LeaseLimit = leaseLimit

// LeaseTime is how long an endpoint rests when its lease was not given back.
const LeaseTime = leaseTime
