package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"code.dny.dev/ssrf"
	"golang.org/x/net/idna"
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

// Covers reports whether addr is in one of the allowed networks.
func (a Allow) Covers(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range a.Networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// CheckURL returns what is expected where raw cannot be an endpoint's URL, else "". It reads only the text, and refuses
// the addresses that CheckDial refuses. What a name resolves to is checked when it is dialed.
func CheckURL(raw string, allow Allow) string {
	if len(raw) > MaxURL {
		return fmt.Sprintf("Must be at most %d bytes", MaxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "":
		return "Must be a valid URL"
	case allow.HTTP && u.Scheme != "https" && u.Scheme != "http":
		return "Must be an https or http URL"
	case !allow.HTTP && u.Scheme != "https":
		return "Must be an https URL"
	case u.Hostname() == "":
		return "Must name a host"
	case u.User != nil:
		return "Must not contain a user name or password"
	case strings.Contains(raw, "#"):
		return "Must not contain a fragment"
	}
	if wrong := checkPort(u); wrong != "" {
		return wrong
	}
	return checkHost(u, allow)
}

func checkPort(u *url.URL) string {
	port := u.Port()
	if port == "" && !strings.HasSuffix(u.Host, ":") {
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "Must have a port between 1 and 65535, or none"
	}
	return ""
}

func checkHost(u *url.URL, allow Allow) string {
	host := asciiHost(u)
	addr, err := netip.ParseAddr(host)
	literal := err == nil
	if !literal && !name(host) {
		return "Must have a whole host name or IP address, such as hooks.example.com"
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		addr, literal = netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	if literal && allow.Covers(addr) {
		return ""
	}
	if literal && internet.SafeAddr(addr.Unmap()) != nil || !literal && len(allow.Networks) == 0 && private(host) {
		return "Must be a host on the public Internet"
	}
	if port := u.Port(); port != "" && port != "443" && port != "80" && (literal || len(allow.Networks) == 0) {
		return "Must use port 443 or 80"
	}
	return ""
}

// asciiHost is the host as net/http will look it up: IDNA makes digits of what looks like some.
func asciiHost(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if ascii, err := idna.Lookup.ToASCII(host); err == nil && strings.ContainsFunc(host, notASCII) {
		host = ascii
	}
	return strings.TrimSuffix(host, ".")
}

// name reports whether host can be looked up in the DNS, as net does: letters, digits, hyphens within a label (RFC
// 1123, 2.1), and underscores, which some names have. A last label that is a number is a short form of an IPv4 address
// ("127.1", "0x7f.1", "2130706433"), which some resolvers read as an address and some do not.
func name(host string) bool {
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, notInName) {
			return false
		}
	}
	last := labels[len(labels)-1]
	hex, isHex := strings.CutPrefix(last, "0x")
	number := strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == ""
	return len(host) <= 253 && !number
}

func notASCII(c rune) bool { return c > unicode.MaxASCII }

func notInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

// private reports whether only a private network resolves host: one label, or a domain kept for that (RFC 6762, RFC
// 6761, ICANN's .internal).
func private(host string) bool {
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

// wireServer answers every machine in Azure with what only it may know, at an address that looks public.
var wireServer = netip.PrefixFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 32)

var internet = ssrf.New(ssrf.WithDeniedV4Prefixes(wireServer))

// CheckDial is the guard against SSRF: it refuses every address but public unicast on port 80 or 443, and what a
// covers. Its errors are those of ssrf. Of IPv6 only 2000::/3 is public, and of that neither 6to4 nor Teredo; NAT64 and
// IPv4-mapped or -compatible forms are outside of it. So no form of an IPv4 address gets around the IPv4 list.
func (a Allow) CheckDial(network, address string) error {
	if to, err := netip.ParseAddrPort(address); err == nil && a.Covers(to.Addr()) {
		return nil
	}
	return internet.Safe(network, address, nil)
}

// EscapeQuery returns the query of a URL as it stands in a request: what may not stand there, such as a space, is
// percent-encoded, as browsers do it (WHATWG URL, 1.3, the query percent-encode set). What is encoded already stays, and
// net/http writes host and path so by itself.
func EscapeQuery(query string) string {
	escaped := func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '#' || c == '<' || c == '>' }
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; escaped(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Host is the host raw names, for people to read; "" if there is none.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
