package admin

import (
	"strings"
	"testing"
	"time"

	"leadgate/shared/rdb"
)

func TestForecast(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	ago := func(days float64, bytes int64) []rdb.Size {
		return []rdb.Size{{At: now.Add(-time.Duration(days * 24 * float64(time.Hour))), Bytes: bytes}}
	}
	for name, c := range map[string]struct {
		measured    []rdb.Size
		size, disk  int64
		state, text string
	}{
		"nothing measured":   {nil, gib, 100 * gib, "good", "not known yet"},
		"measured for hours": {ago(0.5, gib), 9 * gib, 100 * gib, "good", "not known yet"},
		"it shrinks":         {ago(7, 2*gib), gib, 100 * gib, "good", "not grown in the last 7 days"},
		"disk not known":     {ago(10, 10*gib), 20 * gib, 0, "good", "grew by 1.0 GiB a day in the last 10 days. How large its disk is"},
		"far":                {ago(10, 10*gib), 10*gib + 1<<20, 100 * gib, "good", "more than ten years"},
		"in 80 days":         {ago(10, 10*gib), 20 * gib, 100 * gib, "good", "80.0 GiB are left. If it goes on like that, the disk is full in 80 days, on 19 June 2026"},
		"in 30 days":         {ago(10, 10*gib), 20 * gib, 50 * gib, "warn", "in 30 days"},
		"in 10 days":         {ago(10, 10*gib), 20 * gib, 30 * gib, "bad", "in 10 days"},
		"setting too small":  {ago(10, 10*gib), 20 * gib, 5 * gib, "bad", "Correct the setting"},
		"and not measured":   {nil, 20 * gib, 5 * gib, "bad", "Correct the setting"},
	} {
		t.Run(name, func(t *testing.T) {
			g := forecast(c.measured, c.size, c.disk, now)
			if g.State != c.state || !strings.Contains(g.Text, c.text) {
				t.Errorf("forecast() = %s, %q, want %s and %q in it", g.State, g.Text, c.state, c.text)
			}
		})
	}
}
