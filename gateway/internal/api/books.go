package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// maxBookDays is how many days of books one answer has at most.
const maxBookDays = 92

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
}

// getBooks answers what was received on days (UTC) and what became of it, newest first, one line for each day, way in
// and form. The default is the last 30 days. What left no row is up to a second late, together with what was received.
func (a *api) getBooks(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	from, until := params.days(a.Now(), maxBookDays)
	form := params.id("form", id.Key)
	if err := params.err(); err != nil {
		return err
	}
	entries, err := a.DB.ReadBooks(r.Context(), p.WorkspaceID, from, until, form)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, booksOf(entries))
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
