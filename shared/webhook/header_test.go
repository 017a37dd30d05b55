package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/webhook"
)

func TestCheckHeaderName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"Authorization", "X-Api-Key", "x", "a!#$%&'*+-.^_`|~9", "hosts", "webhooks",
		strings.Repeat("x", webhook.MaxHeaderName)} {
		t.Run(good, func(t *testing.T) {
			if wrong := webhook.CheckHeaderName(good); wrong != "" {
				t.Errorf("CheckHeaderName(%q) = %q, want it right", good, wrong)
			}
		})
	}
	for name, want := range map[string]string{
		"": "Must be a header name", "a b": "Must be a header name", "a:": "Must be a header name",
		"a\r\nHost": "Must be a header name", "é": "Must be a header name",
		"a/b": "Must be a header name", strings.Repeat("x", webhook.MaxHeaderName+1): "Must be a header name",
		"Host": "Must not be", "CONTENT-length": "Must not be", "content-type": "Must not be",
		"Transfer-Encoding": "Must not be", "connection": "Must not be", "TE": "Must not be",
		"trailer": "Must not be", "Upgrade": "Must not be", "Keep-Alive": "Must not be", "expect": "Must not be",
		"Accept-Encoding": "Must not be", "user-agent": "Must not be",
		"Proxy-Authorization": "Must not be", "proxy-x": "Must not be", "Webhook-Id": "Must not be",
		"webhook-anything": "Must not be",
	} {
		t.Run(name, func(t *testing.T) {
			if got := webhook.CheckHeaderName(name); !strings.HasPrefix(got, want) {
				t.Errorf("CheckHeaderName(%q) = %q, want %q", name, got, want)
			}
		})
	}
}

func TestCheckHeaderValue(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "x", "Bearer abc~!", strings.Repeat("x", webhook.MaxHeaderValue)} {
		t.Run(good[:min(len(good), 60)], func(t *testing.T) {
			if wrong := webhook.CheckHeaderValue(good); wrong != "" {
				t.Errorf("CheckHeaderValue(%q) = %q, want it right", good, wrong)
			}
		})
	}
	for _, bad := range []string{"a\r\nHost: b", "a\nb", "a\tb", "a\x00", "a\x7f", "é", " a", "a ", " ",
		strings.Repeat("x", webhook.MaxHeaderValue+1)} {
		t.Run(bad[:min(len(bad), 60)], func(t *testing.T) {
			if got := webhook.CheckHeaderValue(bad); got == "" || strings.Contains(got, "Host") {
				t.Errorf("CheckHeaderValue(%q) = %q, want what would be right without the value", bad, got)
			}
		})
	}
}

func TestMergeHeaders(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	old := map[string]string{"X-Api-Key": "1", "X-Team": "a"}
	for _, c := range []struct {
		changes map[string]*string
		want    map[string]string
	}{
		{nil, old},
		{map[string]*string{"X-New": text("n")}, map[string]string{"X-Api-Key": "1", "X-Team": "a", "X-New": "n"}},
		{map[string]*string{"x-api-key": text("2")}, map[string]string{"x-api-key": "2", "X-Team": "a"}},
		{map[string]*string{"x-team": nil, "X-Never": nil}, map[string]string{"X-Api-Key": "1"}},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			if diff := cmp.Diff(c.want, webhook.MergeHeaders(old, c.changes)); diff != "" {
				t.Errorf("MergeHeaders(%v) (-want +got):\n%s", c.changes, diff)
			}
		})
	}
	if len(old) != 2 || old["X-Api-Key"] != "1" {
		t.Errorf("MergeHeaders changed what it was given: %v", old)
	}
}
