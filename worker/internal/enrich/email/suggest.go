package email

// likely are the domains worth suggesting: used by so many that a near miss is more likely a slip than another domain.
var likely = [...]string{"gmail.com", "hotmail.com", "icloud.com", "outlook.com", "protonmail.com", "yahoo.com"}

// suggest returns the likely domain that is one slip of the finger away from domain, or "".
func suggest(domain string) string {
	for _, want := range likely {
		if domain != want && oneSlip(domain, want) {
			return want
		}
	}
	return ""
}

// oneSlip reports whether a becomes b by adding, leaving out or changing one character, or by swapping two neighbours.
func oneSlip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i == len(a) || a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
