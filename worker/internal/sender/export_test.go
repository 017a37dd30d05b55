package sender

// What tests ask that cannot be brought about from outside: addresses that must not be dialed, and this machine's own
// shortages.
var (
	NewGuard = newGuard
	Classify = classify
)
