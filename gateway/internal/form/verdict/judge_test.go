package verdict_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/lead"
)

// tally counts verdicts.
type tally struct{ clean, suspect, held int }

func (t *tally) add(v lead.Verdict) {
	switch v {
	case lead.Clean:
		t.clean++
	case lead.Suspect:
		t.suspect++
	case lead.Held:
		t.held++
	}
}

func (t tally) all() int { return t.clean + t.suspect + t.held }

// heldShare is how many percent are held.
func (t tally) heldShare() float64 { return 100 * float64(t.held) / float64(max(t.all(), 1)) }

func (t tally) String() string {
	return fmt.Sprintf("%5d clean %5d suspect %5d held of %5d: %6.2f %% held", t.clean, t.suspect, t.held, t.all(), t.heldShare())
}

// TestCorpus prints how well spam is told from people, and fails where too much of either is taken for the other.
// VERDICT_MISSES=1 prints what is decided wrongly. wording.txt was learned from these texts.
func TestCorpus(t *testing.T) {
	t.Parallel()
	c, checker := newCorpus(t), verdict.New()
	var spam, person, bare tally
	kinds, ways := map[string]*tally{}, map[string]*tally{}
	count := func(m map[string]*tally, name string, v lead.Verdict) {
		if m[name] == nil {
			m[name] = &tally{}
		}
		m[name].add(v)
	}
	for _, s := range c.all {
		r := checker.Check(s.in)
		what, all := "people", &person
		if s.spam {
			what, all = "spam", &spam
			if s.in.Honeypot == "" {
				bare.add(r.Verdict)
			}
		}
		all.add(r.Verdict)
		count(kinds, what+" "+s.kind, r.Verdict)
		count(ways, what+" "+s.way, r.Verdict)
		if os.Getenv("VERDICT_MISSES") != "" && s.spam != (r.Verdict == lead.Held) && (s.spam || r.Verdict != lead.Clean) {
			why := ""
			for _, reason := range r.Reasons {
				why += fmt.Sprintf(" %s %d", reason.Check, reason.Points)
			}
			t.Logf("MISS %s %s %s %d:%s\n\t%.300q honeypot %q", what, s.kind, s.way, r.Points, why, fmt.Sprint(s.in.Fields), s.in.Honeypot)
		}
	}
	for _, m := range []map[string]*tally{kinds, ways} {
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for k := range m {
				if !yield(k) {
					return
				}
			}
		}) {
			t.Logf("%-28s %v", name, m[name])
		}
	}
	precision := 100 * float64(spam.held) / float64(max(spam.held+person.held, 1))
	t.Logf("spam                  %v\nspam without honeypot %v\npeople                %v", spam, bare, person)
	t.Logf("precision %.2f %%, recall %.2f %%", precision, spam.heldShare())
	checkCorpus(t, c)
	if spam.heldShare() < 95 || person.heldShare() > 0.5 {
		t.Errorf("%.2f %% of spam and %.2f %% of people are held, want at least 95 and at most 0.5", spam.heldShare(), person.heldShare())
	}
}

// checkCorpus holds the corpus to what it is meant to be.
func checkCorpus(t *testing.T, c *corpus) {
	t.Helper()
	spam, bare, autofilled := 0, 0, 0
	kinds := map[string]bool{}
	for _, s := range c.all {
		switch {
		case s.spam:
			spam++
			kinds[s.kind] = true
			if s.in.Honeypot == "" {
				bare++
			}
		case s.in.Honeypot != "":
			autofilled++
		}
	}
	if len(c.all) < 2000 || spam < 800 || len(kinds) < 12 || bare*100 < 45*spam || autofilled < 200 {
		t.Errorf("corpus: %d samples, %d spam of %d kinds, %d without honeypot, %d people with one: too few", len(c.all), spam,
			len(kinds), bare, autofilled)
	}
}
