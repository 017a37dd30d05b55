// Package enrich finds facts about leads: providers, each for its own section, and the pipeline that asks them.
package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"leadgate/shared/lead"
	"leadgate/worker/internal/enrich/attribution"
	"leadgate/worker/internal/enrich/email"
	"leadgate/worker/internal/enrich/phone"
)

// Provider finds one kind of facts. Package enrichtest says what all of them must do.
type Provider interface {
	// Name is the section of the facts and the provider's name to administrators: "email".
	Name() string
	// Lookup returns facts that marshal to a JSON object, or nil when there is nothing to say about l, which it must not change.
	// It is called by many goroutines at once and returns soon after ctx ends.
	Lookup(ctx context.Context, l *lead.Lead) (facts any, err error)
}

// Finding is what was found out about one lead; pg.Finding has the same form.
type Finding struct {
	Facts []byte        // a JSON object: a section for each provider that had something to say, and "providers"; nil: every provider failed
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

// Pipeline asks its providers one after the other. A provider that fails, hangs or panics costs its own section and nothing else.
type Pipeline struct {
	Providers []Provider
	Timeout   time.Duration                    // of each look-up
	Failed    func(provider string, err error) // is told of each failure; nil: nobody is
}

// New returns a Pipeline of the built-in providers, which need no network.
func New(timeout time.Duration) *Pipeline {
	return &Pipeline{Providers: []Provider{email.New(), phone.New(), attribution.New()}, Timeout: timeout}
}

// Find returns a Finding for each of leads, in order. When ctx ends the rest of them count as failed.
func (p *Pipeline) Find(ctx context.Context, leads []lead.Lead) []Finding {
	findings := make([]Finding, len(leads))
	for i := range leads {
		findings[i] = p.find(ctx, &leads[i])
	}
	return findings
}

func (p *Pipeline) find(ctx context.Context, l *lead.Lead) Finding {
	facts, told := []byte{'{'}, []byte(`"providers":{`)
	answered := 0
	for i, provider := range p.Providers {
		section, err := p.ask(ctx, provider, l)
		how := found
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			how = late
		case err != nil:
			how = failed
		case section == nil:
			how = nothing
		}
		if err == nil {
			answered++
		} else if p.Failed != nil {
			p.Failed(provider.Name(), err)
		}
		if how == found {
			facts = fmt.Appendf(facts, "%q:%s,", provider.Name(), section)
		}
		if i > 0 {
			told = append(told, ',')
		}
		told = fmt.Appendf(told, "%q:%q", provider.Name(), how)
	}
	if answered == 0 || ctx.Err() != nil { // facts that only lack because we stop would be lacking for good
		return Finding{Retry: Retry}
	}
	return Finding{Facts: append(append(facts, told...), "}}"...)}
}

// answer is what a look-up came to.
type answer struct {
	section []byte // nil: nothing to say
	err     error
}

// ask gives provider its time and no more: one that does not mind ctx is left behind.
func (p *Pipeline) ask(ctx context.Context, provider Provider, l *lead.Lead) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answers := make(chan answer, 1)
	go func() { answers <- lookup(ctx, provider, l) }()
	select {
	case a := <-answers:
		return a.section, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func lookup(ctx context.Context, provider Provider, l *lead.Lead) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("panic: %v", r)}
		}
	}()
	facts, err := provider.Lookup(ctx, l)
	if err != nil || facts == nil {
		return answer{err: err}
	}
	section, err := json.Marshal(facts)
	if err == nil && section[0] != '{' {
		err = fmt.Errorf("facts are no JSON object")
	}
	return answer{section, err}
}
