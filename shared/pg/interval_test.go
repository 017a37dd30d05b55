package pg_test

import (
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// Every Postgres reads intervals as they are meant, and 14 too, where no field may have more than 31 bits.
func TestIntervals(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, d := range []time.Duration{0, time.Microsecond, 1500 * time.Millisecond, 36 * time.Minute, pg.KeyLife,
		lead.RestoreWithin, 400 * 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		text := pg.Interval(d)
		for _, field := range regexp.MustCompile(`[0-9]+`).FindAllString(text, -1) {
			if n, err := strconv.ParseInt(field, 10, 64); err != nil || n > math.MaxInt32 {
				t.Errorf("%v is %q: Postgres 14 refuses %s", d, text, field)
			}
		}
		var micros int64
		if err := db.GetContext(t.Context(), &micros,
			`select cast(extract(epoch from cast($1 as interval)) * 1000000 as bigint)`, text); err != nil || micros != d.Microseconds() {
			t.Errorf("Postgres reads %q as %d µs, %v, want %v", text, micros, err, d)
		}
	}
}
