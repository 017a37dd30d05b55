package console

import (
	"net/url"
	"strconv"
	"time"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

func overviewRoutes() []route {
	return []route{
		{"GET", Root, anyScope, overview, []string{"GET /api/v1/books", "GET /api/v1/speed", "GET /api/v1/leads",
			"GET /api/v1/webhooks", "GET /api/v1/workspace"}, nil},
	}
}

const (
	days        = 30
	latestLeads = 8
)

type overviewPage struct {
	Workspace workspace
	Today     bookCounts
	Week      bookCounts
	Month     bookCounts
	Chart     []webui.Bar
	Speed     *speed
	Attention []concern
	Latest    []lead
	Address   string // of this installation
}

// concern is something that its owner should look at.
type concern struct{ Tone, Text, Link, Label string }

// overview shows what came in lately, what became of it, how fast it was delivered, and what needs somebody.
func overview(v *visit) error {
	p := overviewPage{Address: v.origin()}
	if err := v.get("/api/v1/workspace", nil, &p.Workspace); err != nil {
		return err
	}
	if err := p.readBooks(v); err != nil {
		return err
	}
	if v.principal.May(tenant.LeadsRead) {
		p.addHeld(v.held)
		_, err := v.list("/api/v1/leads", url.Values{"limit": {strconv.Itoa(latestLeads)}}, &p.Latest)
		if err != nil {
			return err
		}
	}
	if v.principal.May(tenant.WebhooksManage) {
		p.Speed = &speed{}
		if err := v.get("/api/v1/speed", nil, p.Speed); err != nil {
			return err
		}
		if err := p.addEndpoints(v); err != nil {
			return err
		}
	}
	p.addBooks()
	return v.show("overview.html", "Overview", &p)
}

// readBooks counts what was received, by day.
func (p *overviewPage) readBooks(v *visit) error {
	today := v.Now().UTC().Truncate(24 * time.Hour)
	first, until := today.AddDate(0, 0, 1-days), today.AddDate(0, 0, 1) // until is not part
	var b books
	asked := url.Values{"from": {first.Format(time.DateOnly)}, "until": {until.Format(time.DateOnly)}}
	if err := v.get("/api/v1/books", asked, &b); err != nil {
		return err
	}
	byDay := map[string]bookCounts{}
	for _, l := range b.Lines {
		sum := byDay[l.Day]
		sum.add(l.bookCounts)
		byDay[l.Day] = sum
	}
	for i := range days {
		day := first.AddDate(0, 0, i)
		n := byDay[day.Format(time.DateOnly)]
		p.Chart = append(p.Chart, webui.Bar{Value: n.Received, Second: n.Held + n.Refused + n.Limited,
			Label: day.Format("Mon 2 Jan") + ": " + plainNumber(n.Received) + " received, " + plainNumber(n.New) + " new"})
		p.Month.add(n)
		if i >= days-7 {
			p.Week.add(n)
		}
		if i == days-1 {
			p.Today = n
		}
	}
	return nil
}

func (p *overviewPage) concern(tone, text, link, label string) {
	p.Attention = append(p.Attention, concern{tone, text, link, label})
}

// addHeld tells of submissions in quarantine.
func (p *overviewPage) addHeld(n int) {
	switch {
	case n == 1:
		p.concern("warn", "1 submission of a form is held, because it looks like a machine's.", submissionsPath, "Read it")
	case n >= pg.MaxPulseHeld:
		p.concern("warn", "More than 99 submissions of forms are held, because they look like a machine's.", submissionsPath,
			"Read them")
	case n > 1:
		p.concern("warn", plainNumber(n)+" submissions of forms are held, because they look like a machine's.",
			submissionsPath, "Read them")
	}
}

// maxConcerns is how many endpoints are told of one by one.
const maxConcerns = 5

// addEndpoints tells of endpoints that fail, were stopped, or have deliveries that were given up.
func (p *overviewPage) addEndpoints(v *visit) error {
	var all []endpoint
	if err := v.get("/api/v1/webhooks", nil, &all); err != nil {
		return err
	}
	told, more := 0, 0
	for i := range all {
		e := &all[i]
		tag := e.Tag()
		if tag.Class != "bad" {
			continue
		}
		if told == maxConcerns {
			more++
			continue
		}
		told++
		text := "The webhook " + e.Name() + " fails"
		if tag.Word == "Stopped" {
			text = "The webhook " + e.Name() + " was stopped"
		}
		if why := e.Why(); why != "" {
			text += ", because " + why
		}
		if n := e.Waiting(); n > 0 {
			text += "; " + webui.Plural(n, "delivery waits", "deliveries wait")
		}
		p.concern("bad", text+".", endpointPage(*e), "See why")
	}
	if more > 0 {
		p.concern("bad", webui.Plural(more, "more webhook fails.", "more webhooks fail."), endpointsPath, "See all")
	}
	return nil
}

// addBooks tells of what the books cannot account for, and of what was only counted.
func (p *overviewPage) addBooks() {
	if n := p.Month.Imbalance; n != 0 {
		p.concern("bad", "The books do not balance: it is not known what became of "+plainNumber(n)+".", booksPath,
			"Open the books")
	}
	if n := p.Month.HeldNotKept; n > 0 {
		p.concern("warn", webui.Plural(n, "submission was", "submissions were")+
			" counted and not kept, because the quarantine was full.", booksPath, "Open the books")
	}
	if n := p.Today.Limited; n > 0 {
		p.concern("warn", webui.Plural(n, "request of today came faster than your rate allows, and was told to try again.",
			"requests of today came faster than your rate allows, and were told to try again."), booksPath, "Open the books")
	}
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
	b.HeldNotKept += o.HeldNotKept
	b.Imbalance += o.Imbalance
}

// Known is how many came of emails that had a lead already.
func (b bookCounts) Known() int { return b.Appended + b.Updated }
