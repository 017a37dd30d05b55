package hook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Allow widens where webhooks may go; the zero value is the public Internet by https only.
type Allow struct {
	Networks []netip.Prefix // private networks that may be reached, on any port
	HTTP     bool           // http:// too
}

// ParseAllow reads networks in CIDR form; empty texts are left out.
func ParseAllow(cidrs []string, http bool) (Allow, error) {
	a := Allow{HTTP: http}
	for _, text := range cidrs {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return a, fmt.Errorf("%q is not a network such as 10.0.0.0/8", text)
		}
		a.Networks = append(a.Networks, p.Masked())
	}
	return a, nil
}

// Covers tells whether addr is in one of the allowed networks.
func (a Allow) Covers(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range a.Networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// CheckURL says what would be right where raw cannot be an endpoint's URL, else "".
// It reads only the text. What a name resolves to is judged when it is dialed, and that is the wall; this is an early, clear answer.
func CheckURL(raw string, allow Allow) string {
	if len(raw) > MaxURL {
		return fmt.Sprintf("Must be at most %d octets", MaxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "":
		return "Must be a valid URL"
	case u.Scheme != "https" && !(allow.HTTP && u.Scheme == "http"):
		return "Must be an https URL"
	case u.Hostname() == "":
		return "Must name a host"
	case u.User != nil:
		return "Must not contain a user name or password"
	case strings.Contains(raw, "#"):
		return "Must not contain a fragment"
	}
	return checkHost(u, allow)
}

func checkHost(u *url.URL, allow Allow) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	addr, err := netip.ParseAddr(host)
	literal := err == nil
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		addr, literal = netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	if literal && allow.Covers(addr) {
		return ""
	}
	if literal && !public(addr) {
		return "Must be a host on the public Internet"
	}
	if port := u.Port(); port != "" && port != "443" && port != "80" && (literal || len(allow.Networks) == 0) {
		return "Must use port 443 or 80"
	}
	return ""
}

// public is a first sieve of literal addresses; the guard of the dialer knows every special network.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10) // RFC 6598
	return addr.Zone() == "" && addr.IsGlobalUnicast() && !addr.IsPrivate() && !shared.Contains(addr)
}

// Host is the host raw names, for people to read; "" if there is none.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
