package admin_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadgate/shared/testbrowser"
)

func TestDashboardRendersInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	target, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	signedIn := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetBasicAuth("admin", token)
		signedIn.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	page := testbrowser.Open(t, front.URL+"/admin/queues", 5*time.Second)
	for _, want := range []string{">webhook<", ">enrich<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the dashboard shows no %q:\n%.4000s", want, page)
		}
	}
	if strings.Contains(page, `name="token"`) {
		t.Error("the browser got the login form, want the dashboard")
	}
}

func TestBrowserWithoutTokenGetsTheLoginForm(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	for _, path := range []string{"/admin/queues", "/admin/login?next=/admin/queues"} {
		page := testbrowser.Open(t, b.url+path, 5*time.Second)
		if strings.Contains(page, ">webhook<") || !strings.Contains(page, `name="token"`) {
			t.Errorf("a visitor of %s without the token sees this, want the login form:\n%.2000s", path, page)
		}
	}
}
