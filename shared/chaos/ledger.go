package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/loadgen"
)

// rules are what a scenario excuses.
type rules struct {
	unavailable bool // Postgres or the gateway is away for a while: 503 with Retry-After is right
	// so much of all answers may be such a 503 where nothing is away, because a machine is as busy as others make it
	busy float64
	// the gateway is killed: a request may get no answer, and then may or may not have made a lead
	broken  bool
	slowest time.Duration // an answer may take, beside twice what the slowest took before the outage
}

// ledger is all that is known when it is over.
type ledger struct {
	rules
	spell   func(number int) string
	answers []answer
	rows    []row             // the leads in Postgres
	read    map[string]string // lead id -> email, as GET shows it
	arrived []map[string]map[string]loadgen.Arrival
	refused []string // webhooks that did not verify
}

// row is a lead as Postgres has it.
type row struct{ lead, emailKey string }

// check returns every line of the policy that was violated, nil for none.
func (b *ledger) check() error {
	holder := map[string]string{} // email key -> lead
	var violations []error
	violated := func(format string, args ...any) { violations = append(violations, fmt.Errorf(format, args...)) }
	for _, r := range b.rows {
		if other, twice := holder[r.emailKey]; twice {
			violated("one email, two leads: %s and %s", other, r.lead)
		}
		holder[r.emailKey] = r.lead
		if key := emailKey(b.read[r.lead]); key != r.emailKey {
			violated("lead %s is in Postgres, but GET does not show it", r.lead)
		}
	}
	made := b.checkAnswers(holder, violated)
	for key, lead := range holder {
		if !made[key] {
			violated("lead %s is in Postgres, but no request was answered 201, nor went without an answer", lead)
		}
	}
	for i, seen := range b.arrived {
		for _, event := range loadgen.LeadEvents() {
			for _, r := range b.rows {
				if seen[event][r.lead].Times == 0 {
					violated("%s of %s never arrived at subscriber %d", event, r.lead, i)
				}
			}
			if more := len(seen[event]) - len(b.rows); more > 0 {
				violated("%d %s of leads that do not exist arrived at subscriber %d", more, event, i)
			}
		}
	}
	for _, why := range b.refused {
		violated("a webhook does not verify: %s", why)
	}
	return joinFirst(violations)
}

// checkAnswers checks each answer by itself and against the leads that there are. made tells which emails may have a
// lead.
func (b *ledger) checkAnswers(holder map[string]string, violated func(string, ...any)) (made map[string]bool) {
	made = map[string]bool{}
	created := map[string]string{} // email key -> the lead of its 201
	refused := 0
	for i := range b.answers {
		a := &b.answers[i]
		if a.email < 0 {
			if !b.broken {
				violated("the gateway took no connection: %v", a.err)
			}
			continue
		}
		key := emailKey(b.spell(a.email))
		switch {
		case a.err != nil:
			if !b.broken {
				violated("a request had no answer after %v: %v", a.took.Round(time.Millisecond), a.err)
			}
			made[key] = true
		case a.status == http.StatusCreated:
			made[key] = true
			if holder[key] != a.lead {
				violated("201 named lead %s, but Postgres has %q for its email", a.lead, holder[key])
			}
			if first, twice := created[key]; twice {
				violated("one email was answered 201 twice: %s and %s", first, a.lead)
			}
			created[key] = a.lead
		case a.status == http.StatusConflict:
			b.checkConflict(a, holder[key], violated)
		case a.status == http.StatusServiceUnavailable && (b.unavailable || b.busy > 0):
			made[key] = true // the answer of a commit may have been lost
			refused++
			if !a.retryAfter {
				violated("503 without Retry-After")
			}
		default:
			violated("answered %d", a.status)
		}
		if a.took > b.slowest {
			violated("answer %d took %v, more than %v", a.status, a.took.Round(time.Millisecond), b.slowest)
		}
	}
	if all := len(b.answers); !b.unavailable && float64(refused) > b.busy*float64(all) {
		violated("%d of %d requests were answered 503", refused, all)
	}
	return made
}

func (b *ledger) checkConflict(a *answer, holder string, violated func(string, ...any)) {
	if a.lead != holder {
		violated("409 named lead %q, but Postgres has %q for that email", a.lead, holder)
	}
	excused := b.broken && a.read == 0 || (b.unavailable || b.busy > 0) && a.read == http.StatusServiceUnavailable
	if a.read != http.StatusOK && !excused {
		violated("409 named lead %s, but GET answered %d", a.lead, a.read)
	}
}

// emailKey is what makes an email unique, or the phone of a lead without one; "" for what is neither.
func emailKey(typed string) string {
	if _, key, ok := lead.ParseEmail(typed); ok {
		return key
	}
	number, _ := lead.ParsePhone(typed, loadRegion)
	return number.E164
}

// joinFirst joins the first few: the same violation tends to come in thousands.
func joinFirst(all []error) error {
	const most = 8
	if len(all) > most {
		all = append(slices.Clone(all[:most]), fmt.Errorf("and %d more", len(all)-most))
	}
	return errors.Join(all...)
}
