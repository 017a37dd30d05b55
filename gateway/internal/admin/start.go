package admin

import (
	"leadgate/shared/pg"
)

// startPage says how the installation does at a glance.
type startPage struct {
	API      string      // its address
	Postgres bool        // whether it answers
	Redis    string      // what is wrong with it
	Workers  string      // the same; "" also where Redis does not answer, so that nobody knows
	Backlog  *pg.Backlog // nil: it could not be counted in time
	Failing  []failingEndpoint
	More     bool // than Failing has
}

// startFailing is how many failing endpoints the overview shows.
const startFailing = 5

func start(v *visit) error {
	p := startPage{
		API: v.apiOrigin(v.r), Postgres: answers(v.ready),
		Redis: problem(redisState(v.redis)),
	}
	if all := v.processes(v.r.Context()); p.Redis == "" && all.Known && all.State == "bad" {
		p.Workers = all.Summary
	}
	if p.Postgres {
		all, err := v.failing(v.r, startFailing+1)
		if err != nil {
			return err
		}
		p.Failing, p.More = all[:min(len(all), startFailing)], len(all) > startFailing
		if b, ok := v.backlog.read(); ok {
			p.Backlog = &b
		}
	}
	return v.show("start.html", "Overview", p)
}

// OldestDueMs is how long the first delivery that is due has waited, as templates show it.
func (p startPage) OldestDueMs() *int {
	ms := int(p.Backlog.OldestDue.Milliseconds())
	return &ms
}

// Fail is how many webhooks fail.
func (p startPage) Fail() int { return p.Backlog.Failing + p.Backlog.Open }
