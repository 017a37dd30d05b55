package admin_test

import (
	"leadgate/shared/testbrowser"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestDashboardRendersInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	u, err := url.Parse(b.url + "/admin/queues")
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("admin", token)
	page := testbrowser.Open(t, u.String(), 5*time.Second)
	for _, want := range []string{">webhook<", ">enrich<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the dashboard shows no %q:\n%.4000s", want, page)
		}
	}
	if strings.Contains(page, `name="token"`) {
		t.Error("the browser got the login form, want the dashboard")
	}
}

// Headless, the browser's password prompt is dismissed at once and nothing is shown.
func TestBrowserWithoutTokenSeesNoQueues(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	if page := testbrowser.Open(t, b.url+"/admin/queues", 5*time.Second); strings.Contains(page, ">webhook<") {
		t.Errorf("a visitor without the token sees the queues:\n%.2000s", page)
	}
	login := testbrowser.Open(t, b.url+"/admin/login?next=/admin/queues", 5*time.Second)
	if !strings.Contains(login, `name="token"`) {
		t.Errorf("the login page has no form:\n%.2000s", login)
	}
}
