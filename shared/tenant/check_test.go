package tenant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

func TestSettingsCheck(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{"x"}, tenant.MaxStatuses+1)
	for _, tc := range []struct {
		name     string
		settings tenant.Settings
		want     []string // pointers
	}{
		{"zero means defaults", tenant.Settings{}, nil},
		{"defaults written out", tenant.Settings{}.WithDefaults(), nil},
		{"upper bounds", tenant.Settings{Rate: tenant.MaxRate, Burst: 10 * tenant.MaxRate,
			Statuses: []string{strings.Repeat("ü", 50)}}, nil},
		{"negative", tenant.Settings{Rate: -1, Burst: -1}, []string{"/rate", "/burst"}},
		{"too much", tenant.Settings{Rate: tenant.MaxRate + 1, Burst: 10*tenant.MaxRate + 1, Statuses: many},
			[]string{"/rate", "/burst", "/statuses"}},
		{"statuses", tenant.Settings{Statuses: []string{"new", "", "new", strings.Repeat("x", 51), "a\tb", "\xff"}},
			[]string{"/statuses/1", "/statuses/2", "/statuses/3", "/statuses/4", "/statuses/5"}},
		{"one attempt", tenant.Settings{RetrySchedule: []int{0}}, nil},
		{"longest schedule", tenant.Settings{RetrySchedule: append([]int{0}, slices.Repeat([]int{tenant.MaxWait},
			tenant.MaxAttempts-1)...)}, nil},
		{"too long a schedule", tenant.Settings{RetrySchedule: make([]int, tenant.MaxAttempts+1)},
			[]string{"/retrySchedule"}},
		{"waits", tenant.Settings{RetrySchedule: []int{5, -1, 0, tenant.MaxWait + 1}}, []string{"/retrySchedule/0",
			"/retrySchedule/1", "/retrySchedule/3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, pointers(tc.settings.Check())); diff != "" {
				t.Errorf("Check() complains at other places (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	got, wrong := tenant.ParseScopes([]string{"leads:read", "keys:manage", "leads:read"})
	if diff := cmp.Diff([]tenant.Scope{tenant.LeadsRead, tenant.KeysManage}, got); diff != "" || wrong != nil {
		t.Errorf("ParseScopes() differs (-want +got):\n%s\nwrong = %v", diff, wrong)
	}
	got, wrong = tenant.ParseScopes(nil)
	if diff := cmp.Diff(tenant.DefaultScopes(), got); diff != "" || wrong != nil {
		t.Errorf("ParseScopes(nil) differs from the default (-want +got):\n%s\nwrong = %v", diff, wrong)
	}
	got, wrong = tenant.ParseScopes([]string{"leads:read", "leads:*", "LEADS:READ"})
	if diff := cmp.Diff([]string{"/scopes/1", "/scopes/2"}, pointers(wrong)); diff != "" || got != nil {
		t.Errorf("ParseScopes() with unknown scopes = %v, differs (-want +got):\n%s", got, diff)
	}
}

func pointers(fields []fault.Field) (at []string) {
	for _, f := range fields {
		at = append(at, f.Pointer)
	}
	return at
}
