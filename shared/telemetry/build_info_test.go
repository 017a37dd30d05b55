package telemetry

import "testing"

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
