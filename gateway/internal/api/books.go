package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Bounds of one answer.
const (
	maxBookDays     = 92
	maxVerifiedDays = 31   // whose submissions are counted
	maxDifferences  = 1000 // days of forms that are named
)

var bookParams = []string{"from", "until", "form", "verify"}

// bookCounts are what was received and what became of it.
type bookCounts struct {
	Received    int64                    `json:"received"`
	New         int64                    `json:"new"`
	Appended    int64                    `json:"appended"`
	Updated     int64                    `json:"updated"`
	Held        int64                    `json:"held"`
	Suppressed  int64                    `json:"suppressed"`
	Limited     int64                    `json:"limited"`
	Refused     int64                    `json:"refused"`
	RefusedBy   map[tenant.Refusal]int64 `json:"refusedBy"`
	HeldNotKept int64                    `json:"heldNotKept"`
	Imbalance   int64                    `json:"imbalance"`
}

// add counts e. The imbalance is what was received and became nothing, which is never anything but 0.
func (c *bookCounts) add(e *tenant.BookEntry) {
	reason, refused := e.Outcome.Refusal()
	switch {
	case e.Outcome == tenant.BookReceived:
		c.Received += e.N
		c.Imbalance += e.N
		return
	case refused:
		c.Refused += e.N
		if c.RefusedBy[reason] += e.N; c.RefusedBy[reason] == 0 {
			delete(c.RefusedBy, reason)
		}
	case e.Outcome == tenant.BookHeldNotKept:
		c.HeldNotKept += e.N
	default:
		named := map[tenant.BookOutcome]*int64{tenant.BookNew: &c.New, tenant.BookAppended: &c.Appended,
			tenant.BookUpdated: &c.Updated, tenant.BookHeld: &c.Held, tenant.BookSuppressed: &c.Suppressed,
			tenant.BookLimited: &c.Limited}
		if n := named[e.Outcome]; n != nil {
			*n += e.N
		}
	}
	if !e.Outcome.Informs() {
		c.Imbalance -= e.N
	}
}

// bookLine is a day of one way in, and of one form.
type bookLine struct {
	Day    string     `json:"day"`
	Way    tenant.Way `json:"way"`
	FormID *string    `json:"formId"`
	bookCounts
}

// booksAnswer is the answer of getBooks.
type booksAnswer struct {
	Lines  []bookLine `json:"lines"`
	Totals bookCounts `json:"totals"`

	Verification *verification `json:"verification,omitempty"` // where it was asked for
}

// verified is how many submissions books say were kept, and how many there are. What is missing was deleted since.
type verified struct {
	Counted int64 `json:"counted"`
	Kept    int64 `json:"kept"`
	Missing int64 `json:"missing"`
}

func (v *verified) add(b *pg.VerifiedBook) {
	v.Counted, v.Kept, v.Missing = v.Counted+b.Counted, v.Kept+b.Kept, v.Missing+b.Counted-b.Kept
}

// difference is a day of a form on which something is missing.
type difference struct {
	Day    string `json:"day"`
	FormID string `json:"formId"`
	verified
}

// verification holds books against the submissions that are there.
type verification struct {
	verified
	Differences []difference `json:"differences"`
}

// getBooks answers what was received on days (UTC) and what became of it, newest first, one line for each day, way in
// and form, and whether the submissions are there, if verify is asked for. The default is the last 30 days. What left no
// row is up to a second late, together with what was received.
func (a *api) getBooks(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	most, verify := maxBookDays, params.bool("verify")
	if verify {
		most = maxVerifiedDays
	}
	from, until := params.days(a.Now(), most)
	form := params.id("form", id.Key)
	if err := params.err(); err != nil {
		return err
	}
	entries, err := a.DB.ReadBooks(r.Context(), p.WorkspaceID, from, until, form)
	if err != nil {
		return err
	}
	answer := booksOf(entries)
	if verify {
		all, err := a.DB.VerifyBooks(r.Context(), p.WorkspaceID, pg.VerifyQuery{From: from, Until: until, FormID: form})
		if err != nil {
			return err
		}
		answer.Verification = verificationOf(all)
	}
	return httpx.Data(w, http.StatusOK, answer)
}

// verificationOf sums days of forms up and names those that differ, the newest.
func verificationOf(all []pg.VerifiedBook) *verification {
	v := &verification{Differences: []difference{}}
	for i := range all {
		b := &all[i]
		v.add(b)
		if b.Counted != b.Kept && len(v.Differences) < maxDifferences {
			d := difference{Day: b.Day.Format(time.DateOnly), FormID: id.Key.Format(b.FormID)}
			d.add(b)
			v.Differences = append(v.Differences, d)
		}
	}
	return v
}

// booksOf makes lines of entries, of which those of a line follow each other.
func booksOf(entries []tenant.BookEntry) booksAnswer {
	answer := booksAnswer{Lines: []bookLine{}, Totals: bookCounts{RefusedBy: map[tenant.Refusal]int64{}}}
	for i := range entries {
		e := &entries[i]
		if i == 0 || !e.Day.Equal(entries[i-1].Day) || e.Way != entries[i-1].Way || e.FormID != entries[i-1].FormID {
			line := bookLine{Day: e.Day.Format(time.DateOnly), Way: e.Way,
				bookCounts: bookCounts{RefusedBy: map[tenant.Refusal]int64{}}}
			if e.FormID != (id.UUID{}) {
				form := id.Key.Format(e.FormID)
				line.FormID = &form
			}
			answer.Lines = append(answer.Lines, line)
		}
		answer.Lines[len(answer.Lines)-1].add(e)
		answer.Totals.add(e)
	}
	return answer
}
