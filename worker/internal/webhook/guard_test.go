package webhook_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"leadgate/shared/hook"
	"leadgate/worker/internal/webhook"
)

// noName answers that a name does not exist.
func noName(string, int) netip.Addr { return netip.Addr{} }

// Literal addresses: refused by the text alone, whoever put them there.
func TestPrivateAddressIsBlocked(t *testing.T) {
	t.Parallel()
	s := mustSender(t, webhook.Deps{Resolver: mustResolve(t, noName)})
	for _, url := range []string{
		"https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/", "https://[fe80::1%25lo]/",
		"http://93.184.215.14/", "https://u:p@hooks.example.com/", "https://93.184.215.14:22/",
	} {
		a, made := s.Send(t.Context(), endpoint(url), job())
		if !made || hook.ClassOf(a.Error) != hook.FailedBlocked || a.Status != 0 {
			t.Errorf("Send(%s) = %d %q, want it blocked", url, a.Status, a.Error)
		}
	}
}

// Names: whatever a resolver says, the address that would be dialed decides.
func TestNameOfPrivateAddressIsBlocked(t *testing.T) {
	t.Parallel()
	for _, private := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "100.100.100.200", "0.0.0.0", "192.168.1.1"} {
		resolver := mustResolve(t, func(string, int) netip.Addr { return netip.MustParseAddr(private) })
		a, _ := mustSender(t, webhook.Deps{Resolver: resolver}).Send(t.Context(), endpoint("https://hooks.example.com/"), job())
		if hook.ClassOf(a.Error) != hook.FailedBlocked {
			t.Errorf("Send to a name of %s = %q, want it blocked", private, a.Error)
		}
		if strings.Contains(a.Error, private) {
			t.Errorf("Error = %q tells what the name resolves to", a.Error)
		}
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
	only := hook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, HTTP: true}
	s, e := mustSender(t, webhook.Deps{Allow: only, Resolver: resolver}), endpoint("http://hooks.example.com:"+port+"/")
	if a, _ := s.Send(t.Context(), e, job()); a.Status != 200 {
		t.Fatalf("first Send = %d %q, want 200", a.Status, a.Error)
	}
	if a, _ := s.Send(t.Context(), e, job()); hook.ClassOf(a.Error) != hook.FailedBlocked {
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
	allow := hook.Allow{HTTP: true}
	if a, _ := mustSender(t, webhook.Deps{Allow: allow, Resolver: resolver}).Send(t.Context(), endpoint("http://hooks.example.com/"), job()); hook.ClassOf(a.Error) != hook.FailedBlocked {
		t.Errorf("Send = %d %q, want it blocked", a.Status, a.Error)
	}
}
