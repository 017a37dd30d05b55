package tenant

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"leadgate/shared/fault"
)

// AnyOrigin allows the pages of every site.
const AnyOrigin = "*"

const originRule = `Must be the origin of a site as browsers send it, such as https://www.example.com or http://localhost:3000`

// CheckOrigins returns what is wrong with a list of origins; its pointers begin at the list.
func CheckOrigins(origins []string) []fault.Field { return checkOrigins(origins, MaxOrigins, true) }

// CheckFrameOrigins is CheckOrigins of those whose pages may show the console in a frame. AnyOrigin is none of them: any
// site could trick a person into clicking there.
func CheckFrameOrigins(origins []string) []fault.Field {
	return checkOrigins(origins, MaxFrameOrigins, false)
}

func checkOrigins(origins []string, most int, any bool) (wrong []fault.Field) {
	if len(origins) > most {
		return []fault.Field{{Value: len(origins), Message: fmt.Sprintf("Must be at most %d origins", most)}}
	}
	rule := originRule
	if any {
		rule += `, or "*" for all`
	}
	for i, text := range origins {
		pointer := "/" + strconv.Itoa(i)
		origin, ok := ParseOrigin(text)
		switch {
		case slices.Contains(origins[:i], text):
			wrong = append(wrong, fault.Field{Pointer: pointer, Value: fault.Truncate(text), Message: "Must be listed once"})
		case any && text == AnyOrigin || ok && origin == text:
		case ok:
			wrong = append(wrong, fault.Field{Pointer: pointer, Value: fault.Truncate(text),
				Message: "Must be an origin only: " + fault.Truncate(origin)})
		default:
			wrong = append(wrong, fault.Field{Pointer: pointer, Value: fault.Truncate(text), Message: rule})
		}
	}
	return wrong
}

// ParseOrigin returns the origin of an http or https URL as browsers write it (RFC 6454, 6.2): lower case, A-labels, no
// default port.
func ParseOrigin(raw string) (origin string, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", false
	}
	host, ok := originHost(u.Hostname())
	if !ok {
		return "", false
	}
	port := u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") {
		return "", false
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", false
		}
		if n == 443 && u.Scheme == "https" || n == 80 && u.Scheme == "http" {
			return u.Scheme + "://" + host, true
		}
		return u.Scheme + "://" + host + ":" + strconv.FormatUint(n, 10), true
	}
	return u.Scheme + "://" + host, true
}

// originHost returns a host name or address as an origin has it.
func originHost(host string) (string, bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "", false
		}
		if addr.Is6() {
			return "[" + addr.String() + "]", true
		}
		return addr.String(), true
	}
	host, err := idna.Lookup.ToASCII(host)
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.')
	}
	if err != nil || host == "" || len(host) > 253 || strings.ContainsFunc(host, odd) {
		return "", false
	}
	return host, true
}
