package admin

import (
	"fmt"
	"math"
	"time"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/rdb"
)

// growthView says when the disk of Postgres is full, as far as that is known.
type growthView struct {
	PerDay *int64  `json:"bytesPerDay"` // null: it has not been measured for a day
	Days   float64 `json:"measuredDays"`
	Disk   int64   `json:"diskBytes"` // of the setting; 0: not known
	FullAt *string `json:"fullAt"`    // null: it is not known, or far away
	State  string  `json:"state"`     // good, warn, bad
	Text   string  `json:"text"`      // all of it in words
}

// Tag is the state in a word.
func (g growthView) Tag() tag { return stateTags[g.State] }

const (
	leastMeasured = 24 * time.Hour
	fullSoon      = 14.0 // days
	fullLater     = 60.0
	fullFar       = 3650.0
)

// forecast goes on with what was measured, in a straight line.
func forecast(measured []rdb.Size, size, disk int64, now time.Time) growthView {
	g := growthView{Disk: disk, State: "good"}
	free := disk - size
	if disk > 0 && free <= 0 {
		g.State, g.Text = "bad", "The database is larger than LEADGATE_POSTGRES_DISK says that its disk is. Correct the setting, "+
			"or make the disk larger now. "
	}
	if len(measured) == 0 || now.Sub(measured[0].At) < leastMeasured {
		g.Text += "How fast it grows is not known yet: a worker measures it every hour, and a day of that is needed. What is " +
			"measured is in Redis, so it begins anew when Redis is emptied."
		return g
	}
	first := measured[0]
	g.Days = math.Round(now.Sub(first.At).Hours()/24*10) / 10
	perDay := int64(float64(size-first.Bytes) / (now.Sub(first.At).Hours() / 24))
	g.PerDay = &perDay
	if perDay <= 0 {
		g.Text += fmt.Sprintf("It has not grown in the last %.0f days.", g.Days)
		return g
	}
	g.Text += fmt.Sprintf("It grew by %s a day in the last %.0f days. ", webui.Bytes(perDay), g.Days)
	switch days := float64(free) / float64(perDay); {
	case disk == 0:
		g.Text += "How large its disk is Postgres does not tell: set LEADGATE_POSTGRES_DISK, and this says when it is full."
	case free <= 0:
	case days > fullFar:
		g.Text += fmt.Sprintf("Of its disk %s are left, which is enough for more than ten years of that.", webui.Bytes(free))
	default:
		at := now.Add(time.Duration(days * 24 * float64(time.Hour)))
		full := stamp(at)
		g.FullAt, g.State = &full, level(-days, -fullLater, -fullSoon)
		g.Text += fmt.Sprintf("Of its disk %s are left. If it goes on like that, the disk is full in %.0f days, on %s. WAL and "+
			"whatever else is on the disk come on top, so act earlier.", webui.Bytes(free), days, at.UTC().Format("2 January 2006"))
	}
	return g
}
