package telemetry

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}}
	changed := append(revision[:1:1], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for _, tc := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{{"v1.2.3", revision, "v1.2.3"}, {"(devel)", revision, "abc123"}, {"", changed, "abc123+dirty"}, {"(devel)", nil, "devel"}, {"", nil, "devel"}} {
		if got := version(&debug.BuildInfo{Main: debug.Module{Version: tc.version}, Settings: tc.settings}); got != tc.want {
			t.Errorf("version(%q, %v) = %q, want %q", tc.version, tc.settings, got, tc.want)
		}
	}
}

func TestBuildInfoIsAMetric(t *testing.T) {
	t.Parallel()
	families, err := Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "leadgate_build_info" && f.GetMetric()[0].GetGauge().GetValue() == 1 {
			return
		}
	}
	t.Error("leadgate_build_info is not 1 in the registry")
}
