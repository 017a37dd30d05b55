package form_test

import (
	"testing"

	"leadgate/gateway/internal/form"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// What a service says of a form and its questions is not what a visitor wrote.
func TestWhatServicesSendIsClean(t *testing.T) {
	t.Parallel()
	f := tenant.Form{}.WithDefaults()
	for _, tc := range append(builderShapes(), serviceShapes()...) {
		got, err := form.Show(tc.contentType, []byte(tc.body), f, tenant.Settings{}.WithDefaults().Rules())
		if err != nil || got.Verdict != lead.Clean {
			t.Errorf("%s: %s, %d points for %v, %v; want clean", tc.tool, got.Verdict, got.Points, got.Reasons, err)
		}
	}
}
