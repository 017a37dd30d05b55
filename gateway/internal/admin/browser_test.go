package admin_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

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
	p := testbrowser.New(t)
	p.Open(front.URL + "/admin/queues")
	p.WaitText("webhook")
	p.WaitText("enrich")
}

func TestBrowserWithoutTokenGetsTheLoginForm(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	for _, path := range []string{"/admin/queues", "/admin/login?next=/admin/queues"} {
		p := testbrowser.New(t)
		p.Open(b.url + path)
		p.Click(`[name="token"]`) // a dashboard has none
	}
}
