package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/hibiken/asynq"

	"leadgate/shared/task"
	"leadgate/shared/testbrowser"
)

// The dashboard has the bar of the other pages, asks nobody else for anything, and shows why a webhook fails on a screen
// that is 1280 wide.
func TestDashboardRendersInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	const reason = "dns: lookup a-rather-long-name-of-a-host.crm.example.com: no such host"
	path, _ := b.failing("A workspace with a name that is longer than most",
		"https://a-rather-long-name-of-a-host.crm.example.com/in", reason)
	b.call("POST", "/admin/api/v1/"+path+"/probe", "", http.StatusAccepted, nil)
	worker := asynq.NewServerFromRedisClient(b.redis, asynq.Config{LogLevel: asynq.FatalLevel,
		Queues: map[string]int{task.QueueFailing: 1}})
	err := worker.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return errors.New(reason) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Shutdown)
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
	p.WaitText("Signed in as admin")
	p.Open(front.URL + "/admin/queues/queues/failing?status=retry")
	p.WaitText(reason)
	for name, scheme := range map[string]func(){"light": p.Light, "dark": p.Dark} {
		scheme()
		p.Screenshot("queues-" + name)
	}
	var right float64
	p.Eval(`[...document.querySelectorAll("td")].find(c => c.innerText.includes("dns:")).getBoundingClientRect().right`, &right)
	if right > 1280 {
		t.Errorf("the reason of a failure ends at %.0f of 1280 pixels, want it on the screen", right)
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
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
