package console

import (
	"net/url"
	"time"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/tenant"
)

func overviewRoutes() []route {
	return []route{
		{"GET", Root, anyScope, overview,
			[]string{"GET /api/v1/books", "GET /api/v1/speed", "GET /api/v1/leads", "GET /api/v1/workspace"}, nil},
	}
}

const days = 30

type overviewPage struct {
	Workspace workspace
	Today     bookCounts
	Week      bookCounts
	Month     bookCounts
	Chart     []webui.Bar
	Speed     *speed
	Latest    []lead
}

// overview shows what came in lately, what became of it, and how fast it was delivered.
func overview(v *visit) error {
	var p overviewPage
	if err := v.get("/api/v1/workspace", nil, &p.Workspace); err != nil {
		return err
	}
	today := v.Now().UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-days)
	var b books
	until := today.AddDate(0, 0, 1) // which is not part
	err := v.get("/api/v1/books", url.Values{"from": {first.Format(time.DateOnly)}, "until": {until.Format(time.DateOnly)}}, &b)
	if err != nil {
		return err
	}
	byDay := map[string]bookCounts{}
	for _, l := range b.Lines {
		sum := byDay[l.Day]
		sum.add(l.bookCounts)
		byDay[l.Day] = sum
	}
	for i := range days {
		day := first.AddDate(0, 0, i).Format(time.DateOnly)
		n := byDay[day]
		p.Chart = append(p.Chart, webui.Bar{Value: n.Received, Second: n.Held + n.Refused + n.Limited,
			Label: day + ": " + plainNumber(n.Received) + " received, " + plainNumber(n.New) + " new"})
		p.Month.add(n)
		if i >= days-7 {
			p.Week.add(n)
		}
		if i == days-1 {
			p.Today = n
		}
	}
	if v.principal.May(tenant.WebhooksManage) {
		p.Speed = &speed{}
		if err := v.get("/api/v1/speed", nil, p.Speed); err != nil {
			return err
		}
	}
	if v.principal.May(tenant.LeadsRead) {
		if _, err := v.list("/api/v1/leads", url.Values{"limit": {"8"}}, &p.Latest); err != nil {
			return err
		}
	}
	return v.show("overview.html", "Overview", p)
}

func (b *bookCounts) add(o bookCounts) {
	b.Received += o.Received
	b.New += o.New
	b.Appended += o.Appended
	b.Updated += o.Updated
	b.Held += o.Held
	b.Suppressed += o.Suppressed
	b.Limited += o.Limited
	b.Refused += o.Refused
}

// Known is how many came of emails that had a lead already.
func (b bookCounts) Known() int { return b.Appended + b.Updated }
