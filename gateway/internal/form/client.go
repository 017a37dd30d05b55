package form

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 20

// ClientOf returns the address of whoever sent r: that of the connection, or, where a trusted proxy made the connection, the last one in
// X-Forwarded-For that no trusted proxy has. What stands before that the client may have made up.
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
