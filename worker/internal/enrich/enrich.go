// Package enrich finds facts about leads: providers, each for its own section, and the pipeline that asks them.
package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich/attribution"
	"leadgate/worker/internal/enrich/email"
	"leadgate/worker/internal/enrich/phone"
)

// Provider is an enrichment provider: it finds one kind of facts. Package enrichtest says what all of them must do.
type Provider interface {
	// Name is the section of the facts and the provider's name to administrators: "email".
	Name() string
	// Lookup returns facts that marshal to a JSON object, or nil when there is nothing to say about l, which it must
	// not change. s is what l's workspace wants. It is called by many goroutines at once and returns soon after ctx ends.
	Lookup(ctx context.Context, l *lead.Lead, s tenant.Settings) (facts any, err error)
}

// Finding is what was found out about one lead; pg.Finding has the same form.
type Finding struct {
	// a JSON object: a section for each provider that had something to say, and "providers"; nil: every provider failed
	Facts []byte
	Retry time.Duration // when every provider failed: how long to wait
}

// Retry is how long to wait when every provider failed.
const Retry = time.Minute

// What "providers" tells of each: where a section comes from, or why it is not there.
const (
	found   = "found"
	nothing = "nothing" // there is nothing to say about this lead
	failed  = "failed"
	late    = "timeout"
)

// Pipeline asks its providers one after the other. A provider that fails, hangs or panics costs its own section and
// nothing else.
type Pipeline struct {
	Providers []Provider
	Timeout   time.Duration                    // of each look-up
	Failed    func(provider string, err error) // is told of each failure; nil: nobody is
}

// New returns a Pipeline of the built-in providers, which need no network.
func New(timeout time.Duration) *Pipeline {
	return &Pipeline{Providers: []Provider{email.New(), phone.New(), attribution.New()}, Timeout: timeout}
}

// Find returns a Finding for each of leads, of a workspace with settings s, in order. When ctx ends the rest of them
// count as failed.
func (p *Pipeline) Find(ctx context.Context, s tenant.Settings, leads []lead.Lead) []Finding {
	answers := make([][]answer, len(p.Providers))
	for i, provider := range p.Providers {
		answers[i] = p.ask(ctx, asked{provider, s}, leads)
	}
	findings := make([]Finding, len(leads))
	if ctx.Err() == nil { // facts that only lack because we stop would be lacking for good
		for i := range findings {
			findings[i].Facts = p.facts(answers, i)
		}
	}
	for i := range findings {
		if findings[i].Facts == nil {
			findings[i].Retry = Retry
		}
	}
	return findings
}

// facts puts together what the providers answered about the lead at i; nil when none did.
func (p *Pipeline) facts(answers [][]answer, i int) []byte {
	facts, told := []byte{'{'}, []byte(`"providers":{`)
	answered := false
	for n, provider := range p.Providers {
		a := answers[n][i]
		how := found
		switch {
		case a.late():
			how = late
		case a.err != nil:
			how = failed
		case a.section == nil:
			how = nothing
		}
		answered = answered || a.err == nil
		if a.err != nil && p.Failed != nil {
			p.Failed(provider.Name(), a.err)
		}
		if how == found {
			facts = append(appendName(facts, provider.Name()), a.section...)
			facts = append(facts, ',')
		}
		if n > 0 {
			told = append(told, ',')
		}
		told = append(appendName(told, provider.Name()), `"`+how+`"`...)
	}
	if !answered {
		return nil
	}
	return append(append(facts, told...), "}}"...)
}

// appendName appends a member's name. Names are plain words.
func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, '"'), name...), `":`...)
}

// answer is what a look-up came to.
type answer struct {
	section []byte // nil: nothing to say
	err     error
}

func (a answer) late() bool { return errors.Is(a.err, context.DeadlineExceeded) }

// asked is a provider, and for whom it is asked.
type asked struct {
	provider Provider
	settings tenant.Settings
}

// patience is how many leads of a batch a provider may be late for; then it is late for the rest, unasked. Waiting for
// each would outlast the task, whose transaction would take the other providers' facts back with it, every time anew.
const patience = 3

// ask asks provider about leads, one after the other.
func (p *Pipeline) ask(ctx context.Context, provider asked, leads []lead.Lead) []answer {
	answers := make([]answer, 0, len(leads))
	for len(answers) < len(leads) {
		err := ctx.Err()
		if err == nil && tooOftenLate(answers) {
			err = context.DeadlineExceeded
		}
		if err != nil {
			answers = append(answers, answer{err: err})
			continue
		}
		answers = p.askOn(ctx, provider, leads, answers)
	}
	return answers
}

func tooOftenLate(answers []answer) bool {
	late := 0
	for _, a := range answers {
		if a.late() {
			late++
		}
	}
	return late >= patience
}

// askOn asks about the leads that have no answer yet, in one goroutine, up to the first that takes too long: that one
// is late, and a provider that does not mind ctx is left behind.
func (p *Pipeline) askOn(ctx context.Context, provider asked, leads []lead.Lead, answers []answer) []answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rest := leads[len(answers):]
	out := make(chan answer, len(rest))
	go func() {
		for i := range rest {
			if ctx.Err() != nil {
				return
			}
			out <- provider.lookup(ctx, &rest[i])
		}
	}()
	timer := time.NewTimer(p.Timeout)
	defer timer.Stop()
	for range rest {
		select {
		case a := <-out:
			answers = append(answers, a)
			if a.late() && tooOftenLate(answers) { // by a clock of its own
				return answers
			}
			timer.Reset(p.Timeout)
		case <-timer.C:
			return append(answers, answer{err: context.DeadlineExceeded})
		case <-ctx.Done():
			return append(answers, answer{err: ctx.Err()})
		}
	}
	return answers
}

func (a asked) lookup(ctx context.Context, l *lead.Lead) (found answer) {
	defer func() {
		if r := recover(); r != nil {
			found = answer{err: fmt.Errorf("panic: %v", r)}
		}
	}()
	facts, err := a.provider.Lookup(ctx, l, a.settings)
	if err != nil || facts == nil {
		return answer{err: err}
	}
	section, err := json.Marshal(facts)
	if err == nil && section[0] != '{' {
		err = fmt.Errorf("facts are no JSON object")
	}
	return answer{section, err}
}
