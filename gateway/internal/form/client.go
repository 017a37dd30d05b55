package form

import (
	"net/http"
	"net/netip"
	"strings"
)

// Client is who sent a request, as far as that can be known.
type Client struct {
	Addr   netip.Addr
	Hidden bool // behind a proxy that is not trusted: the address is the proxy's, and everybody's
}

// Client returns who sent r. A hidden client has no limit by address, which would close every form for everybody. Only
// a client in the same private network can hide by inventing X-Forwarded-For.
func (s *Service) Client(r *http.Request) Client {
	c := Client{Addr: ClientOf(r, s.Trusted)}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-For") == "" {
		return c
	}
	near := peer.Addr().Unmap().WithZone("")
	c.Hidden = (near.IsPrivate() || near.IsLoopback() || near.IsLinkLocalUnicast()) && !covered(near, s.Trusted)
	if c.Hidden && s.warn("proxy") {
		s.Log.Warn("proxy not trusted, forms are not limited by address", "proxy", near.String(),
			"setting", "LEADGATE_TRUSTED_PROXIES")
	}
	return c
}

// maxHops is how many addresses of X-Forwarded-For are read.
const maxHops = 20

// ClientOf returns the address of whoever sent r: that of the connection or, where a trusted proxy made the connection,
// the last one in X-Forwarded-For that no trusted proxy has. The client may have invented those before it.
func ClientOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	client := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for range maxHops {
		if !covered(client, trusted) || len(hops) == 0 {
			return client
		}
		hop, ok := parseHop(hops[len(hops)-1])
		if !ok {
			return client
		}
		client, hops = hop, hops[:len(hops)-1]
	}
	return client
}

func covered(a netip.Addr, by []netip.Prefix) bool {
	for _, p := range by {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads an address, which some proxies write with a port.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return a, false
		}
		a = with.Addr()
	}
	return a.Unmap().WithZone(""), true
}
