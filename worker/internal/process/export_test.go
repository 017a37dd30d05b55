package process

// TakeLimit is how many deliveries one take brings.
const TakeLimit = takeLimit

// LeaseTime is how long an endpoint rests when its lease was not given back.
const LeaseTime = leaseTime
