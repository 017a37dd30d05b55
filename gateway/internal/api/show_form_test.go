package api_test

import (
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/tenant"
	"leadgate/shared/testbrowser"
)

// A person who opens the address of a form reads what it is, and cannot tell whether there is such a form.
func TestFormsAddressInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := b.mustForm(t, b.owner, tenant.Form{})
	first := b.send(t, "", "GET", there, "")
	for what, path := range map[string]string{"a form": there, "none": "/f/" + tenant.NewText(tenant.PublishableKey, false),
		"a mistyped key": there + "x"} {
		got := b.send(t, "", "GET", path, "")
		if got.status != http.StatusOK || got.text != first.text || !strings.Contains(got.text, "Forms are sent to this address") ||
			!strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("GET of %s = %d %s, want the page", what, got.status, got.text)
		}
	}
	p := testbrowser.New(t)
	p.Open(b.url + there)
	p.WaitText("by opening it you have sent nothing")
	p.WantWell("form-address")
}
