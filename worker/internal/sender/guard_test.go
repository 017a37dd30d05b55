package sender_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"code.dny.dev/ssrf"

	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
)

// noName answers that a name does not exist.
func noName(string, int) netip.Addr { return netip.Addr{} }

// forbidden are addresses that no webhook may reach, with what they are.
var forbidden = map[string]string{
	"0.0.0.0":         "unspecified, which is this machine",
	"0.1.2.3":         "this network",
	"10.0.0.1":        "private",
	"100.64.0.1":      "carrier-grade NAT",
	"100.100.100.200": "metadata",
	"100.127.255.255": "carrier-grade NAT",
	"127.0.0.1":       "loopback",
	"127.255.255.254": "loopback",
	"168.63.129.16":   "metadata",
	"169.254.1.1":     "link-local",
	"169.254.169.254": "metadata",
	"172.16.0.1":      "private",
	"172.31.255.255":  "private",
	"192.0.0.192":     "metadata",
	"192.0.2.1":       "documentation",
	"192.88.99.1":     "6to4 relay",
	"192.168.0.1":     "private",
	"198.18.0.1":      "benchmarks",
	"198.19.255.255":  "benchmarks",
	"198.51.100.1":    "documentation",
	"203.0.113.1":     "documentation",
	"224.0.0.1":       "multicast",
	"239.255.255.255": "multicast",
	"240.0.0.1":       "reserved",
	"255.255.255.255": "broadcast",

	"::":                         "unspecified",
	"::1":                        "loopback",
	"::7f00:1":                   "IPv4-compatible loopback",
	"::5db8:d70e":                "IPv4-compatible",
	"::ffff:127.0.0.1":           "IPv4-mapped loopback",
	"::ffff:169.254.169.254":     "IPv4-mapped metadata",
	"::ffff:0:7f00:1":            "IPv4-translated",
	"64:ff9b::7f00:1":            "NAT64 of loopback",
	"64:ff9b::a9fe:a9fe":         "NAT64 of metadata",
	"64:ff9b::5db8:d70e":         "NAT64 of a public address",
	"64:ff9b:1::a00:1":           "local NAT64",
	"100::1":                     "discard",
	"2001::53aa:64c:0:fbfe:80ff": "Teredo",
	"2001:0:7f00:1::1":           "Teredo",
	"2001:2::1":                  "benchmarks",
	"2001:20::1":                 "ORCHID",
	"2001:db8::1":                "documentation",
	"2002:7f00:1::":              "6to4 of loopback",
	"2002:a9fe:a9fe::1":          "6to4 of metadata",
	"2002:5db8:d70e::1":          "6to4 of a public address",
	"3fff::1":                    "documentation",
	"4000::1":                    "not assigned",
	"5f00::1":                    "segment routing",
	"fc00::1":                    "private",
	"fd00:ec2::254":              "metadata",
	"fd20:ce::254":               "metadata",
	"fe80::1":                    "link-local",
	"fe80::a9fe:a9fe":            "metadata",
	"fec0::1":                    "site-local",
	"ff02::1":                    "multicast",
	"ff0e::1":                    "multicast",
}

func TestGuard(t *testing.T) {
	t.Parallel()
	ask := func(a webhook.Allow, network, address string) error { return sender.NewGuard(a)(network, address, nil) }
	network := func(addr netip.Addr) string {
		if addr.Is4() {
			return "tcp4"
		}
		return "tcp6"
	}
	for text, what := range forbidden {
		addr := netip.MustParseAddr(text)
		for _, port := range []uint16{80, 443} {
			to := netip.AddrPortFrom(addr, port).String()
			if err := ask(webhook.Allow{HTTP: true}, network(addr), to); !errors.Is(err, ssrf.ErrProhibitedIP) {
				t.Errorf("guard(%s, %s) = %v, want it refused", to, what, err)
			}
			elsewhere := webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"),
				netip.MustParsePrefix("fd99::/16")}}
			if err := ask(elsewhere, network(addr), to); err == nil {
				t.Errorf("guard(%s, %s) = nil because another network is allowed", to, what)
			}
		}
	}
	for address, want := range map[string]error{
		"93.184.215.14:443": nil, "93.184.215.14:80": nil, "168.63.129.17:443": nil, "[2606:4700::1111]:443": nil,
		"[2a00:1450:4001::200e]:80": nil,
		"93.184.215.14:22":          ssrf.ErrProhibitedPort, "93.184.215.14:8080": ssrf.ErrProhibitedPort,
		"93.184.215.14:0":        ssrf.ErrProhibitedPort,
		"[2606:4700::1111]:6379": ssrf.ErrProhibitedPort, "93.184.215.14": ssrf.ErrInvalidHostPort,
		"hooks.example.com:443": ssrf.ErrInvalidHostPort,
	} {
		t.Run(address, func(t *testing.T) {
			net := "tcp4"
			if address[0] == '[' {
				net = "tcp6"
			}
			if err := ask(webhook.Allow{}, net, address); !errors.Is(err, want) {
				t.Errorf("guard(%s) = %v, want %v", address, err, want)
			}
		})
	}
	if err := ask(webhook.Allow{}, "udp4", "93.184.215.14:443"); !errors.Is(err, ssrf.ErrProhibitedNetwork) {
		t.Errorf("guard(udp4) = %v, want it refused", err)
	}
}

// What the dialer would refuse of a URL's own address is refused when the endpoint is made, and nothing else is.
func TestCheckURLAgreesWithTheGuard(t *testing.T) {
	t.Parallel()
	addresses := []string{"93.184.215.14", "168.63.129.17", "198.17.255.255", "198.20.0.0", "100.63.255.255", "100.128.0.0",
		"2606:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888", "2003::1", "::ffff:93.184.215.14"}
	for address := range forbidden {
		addresses = append(addresses, address)
	}
	for _, network := range []string{"", "10.0.0.0/8", "64:ff9b::/96", "2002::/16", "198.18.0.0/15", "fd00::/8"} {
		allow, err := webhook.ParseAllow([]string{network}, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range addresses {
			addr := netip.MustParseAddr(text).Unmap() // as it is dialed
			dialed, kind, host := netip.AddrPortFrom(addr, 443).String(), "tcp4", text
			if strings.Contains(text, ":") {
				host = "[" + text + "]"
			}
			if addr.Is6() {
				kind = "tcp6"
			}
			guarded, checked := sender.NewGuard(allow)(kind, dialed, nil), webhook.CheckURL("https://"+host+"/", allow)
			if (guarded == nil) != (checked == "") {
				t.Errorf("%s with %q allowed: guard = %v, CheckURL = %q, want the same of both", text, network, guarded, checked)
			}
		}
	}
}

// What an operator allows opens those addresses and no others, in whatever form they are written.
func TestAllowedNetworksOpenNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, address string
		open           bool
	}{
		{"10.0.0.0/8", "10.1.2.3:8080", true},
		{"10.0.0.0/8", "[::ffff:10.1.2.3]:8080", true}, // the same host
		{"10.0.0.0/8", "11.0.0.1:8080", false},
		{"10.0.0.0/8", "[::a01:203]:443", false},
		{"10.0.0.0/8", "[64:ff9b::a01:203]:443", false},
		{"10.0.0.0/8", "[2002:a01:203::]:443", false},
		{"10.0.0.0/8", "169.254.169.254:80", false},
		{"127.0.0.1/32", "127.0.0.2:80", false},
		{"127.0.0.1/32", "[::1]:80", false},
		{"::ffff:10.0.0.0/104", "10.1.2.3:443", false}, // means nothing: IPv4 is allowed as IPv4
		{"::ffff:10.0.0.0/104", "[::ffff:10.1.2.3]:443", false},
		{"::/0", "127.0.0.1:443", false},
		{"::/0", "[::ffff:127.0.0.1]:443", false},
		{"::/0", "[fd00::1]:8443", true},
		{"fe80::/10", "[fe80::1%lo]:443", false}, // of which machine's link is not said
		{"fd00:1::/32", "[fd00:2::1]:443", false},
	} {
		t.Run(c.allow+" "+c.address, func(t *testing.T) {
			network := "tcp4"
			if c.address[0] == '[' {
				network = "tcp6"
			}
			allow := webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix(c.allow)}}
			if err := sender.NewGuard(allow)(network, c.address, nil); (err == nil) != c.open {
				t.Errorf("guard(%s) with %s allowed = %v, want open %v", c.address, c.allow, err, c.open)
			}
		})
	}
}

// URLs that name an address, in every spelling somebody could read as one: refused whoever put them there.
func TestForbiddenURLIsBlocked(t *testing.T) {
	t.Parallel()
	urls := []string{
		"https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://[fe80::1%25lo]/", "https://127.0.0.1./",
		"https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/",
		"https://1.2.3/",
		"https://１２７.０.０.１/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", // IDNA makes 127.0.0.1 of them
		"http://93.184.215.14/", "https://93.184.215.14:22/", "https://93.184.215.14:0/", "https://hooks.example.com:6379/",
		"https://u:p@hooks.example.com/", "https://u@hooks.example.com/", "https:hooks.example.com",
		"ftp://hooks.example.com/", "gopher://hooks.example.com/", "file:///etc/passwd", "unix:///run/docker.sock",
		"//hooks.example.com/", "",
	}
	for addr := range forbidden {
		host := addr
		if strings.Contains(addr, ":") {
			host = "[" + addr + "]"
		}
		urls = append(urls, "https://"+host+"/", "https://"+host+":80/")
	}
	s := mustSender(t, sender.Deps{Resolver: mustResolve(t, noName)})
	for _, url := range urls {
		t.Run(url, func(t *testing.T) {
			a, made := s.Send(t.Context(), endpoint(url), job())
			if !made || webhook.ClassOf(a.Error) != webhook.FailedBlocked || a.Status != 0 {
				t.Errorf("Send(%s) = %d %q, want it blocked", url, a.Status, a.Error)
			}
		})
	}
}

// Names: whatever a resolver says, the address that would be dialed decides.
func TestNameOfForbiddenAddressIsBlocked(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	six := err == nil
	if six {
		l.Close()
	}
	for addr, what := range forbidden {
		to := netip.MustParseAddr(addr)
		if to.Is6() && !to.Is4In6() && !six {
			t.Logf("%s is not tried: this machine has no IPv6", addr)
			continue
		}
		resolver := mustResolve(t, func(string, int) netip.Addr { return to })
		a, _ := mustSender(t, sender.Deps{Resolver: resolver}).Send(t.Context(), endpoint("https://hooks.example.com/"),
			job())
		if webhook.ClassOf(a.Error) != webhook.FailedBlocked {
			t.Errorf("Send to a name of %s (%s) = %q, want it blocked", addr, what, a.Error)
		}
		if strings.Contains(a.Error, addr) {
			t.Errorf("Error = %q tells what the name resolves to", a.Error)
		}
	}
}

// Where an operator allows a network, names may have any port; on the public Internet they still reach only 80 and 443.
func TestPortOfPublicAddressIsBlocked(t *testing.T) {
	t.Parallel()
	inside := webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	resolver := mustResolve(t, func(string, int) netip.Addr { return netip.MustParseAddr("93.184.215.14") })
	a, _ := mustSender(t, sender.Deps{Allow: inside, Resolver: resolver}).Send(t.Context(),
		endpoint("https://hooks.example.com:6379/"), job())
	if webhook.ClassOf(a.Error) != webhook.FailedBlocked {
		t.Errorf("Send = %d %q, want it blocked", a.Status, a.Error)
	}
}

// Rebinding: the name leads to an allowed address first and to a forbidden one at the next connection.
func TestRebindingIsBlocked(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Connection", "close") // the next attempt dials anew
	})
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	resolver := mustResolve(t, func(_ string, n int) netip.Addr {
		if n == 1 {
			return netip.MustParseAddr("127.0.0.1")
		}
		return netip.MustParseAddr("127.0.0.2") // also this machine, where the server would answer were it asked
	})
	only := webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, HTTP: true}
	s, e := mustSender(t, sender.Deps{Allow: only, Resolver: resolver}), endpoint("http://hooks.example.com:"+port+"/")
	if a, _ := s.Send(t.Context(), e, job()); a.Status != 200 {
		t.Fatalf("first Send = %d %q, want 200", a.Status, a.Error)
	}
	if a, _ := s.Send(t.Context(), e, job()); webhook.ClassOf(a.Error) != webhook.FailedBlocked {
		t.Errorf("second Send = %d %q, want it blocked", a.Status, a.Error)
	}
	if n := reached.Load(); n != 1 {
		t.Errorf("requests that arrived = %d, want 1", n)
	}
}

// A proxy in the environment would take the guard's place.
func TestProxyIsIgnored(t *testing.T) {
	proxy := mustServe(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	resolver := mustResolve(t, func(string, int) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	allow := webhook.Allow{HTTP: true}
	if a, _ := mustSender(t, sender.Deps{Allow: allow, Resolver: resolver}).Send(t.Context(),
		endpoint("http://hooks.example.com/"), job()); webhook.ClassOf(a.Error) != webhook.FailedBlocked {
		t.Errorf("Send = %d %q, want it blocked", a.Status, a.Error)
	}
}
