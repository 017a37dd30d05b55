package httpx

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ExampleOrigin stands for an installation's own address, in texts that are written before it is known, and where it
// cannot be known.
const ExampleOrigin = "https://your-domain.com"

// Origin returns the address of the API, to make links of: public, the setting, or else the address that r was sent to.
// Of that nothing goes into links and into commands that people paste but what a host can have; X-Forwarded-Host is not
// read. X-Forwarded-Proto is believed whoever sends it, because the answer is for the sender alone.
func Origin(r *http.Request, public string) string {
	switch {
	case public != "":
		return public
	case !HostIsPlain(r.Host):
		return ExampleOrigin
	case r.TLS != nil || forwardedTLS(r):
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// maxHost is what a name of DNS and a port have at most, in bytes.
const maxHost = 253 + len(":65535")

// HostIsPlain reports whether host consists of what the name or address of a host and its port are written with.
func HostIsPlain(host string) bool {
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-_:[]", c))
	}
	return host != "" && len(host) <= maxHost && !strings.ContainsFunc(host, odd)
}

// OverTLS reports whether the client spoke TLS, to this listener or to the trusted proxy in front of it.
func OverTLS(r *http.Request, trusted []netip.Prefix) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	covers := func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap().WithZone("")) }
	return err == nil && slices.ContainsFunc(trusted, covers) && forwardedTLS(r)
}

// forwardedTLS reports whether a proxy says that the client spoke TLS to it. The first of several faces the client.
func forwardedTLS(r *http.Request) bool {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(proto), "https")
}
