package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/tenant"
)

const booksPath = Root + "/books"

func bookRoutes() []route {
	return []route{
		{"GET", booksPath, anyScope, showBooks, []string{"GET /api/v1/books"}, nil},
		{"GET", booksPath + "/csv", anyScope, exportBooks, []string{"GET /api/v1/books"}, nil},
	}
}

var wayMeanings = map[string]string{string(tenant.WayForm): "Forms", string(tenant.WayAPI): "API, one by one",
	string(tenant.WayBatch): "API, in batches", string(tenant.WayImport): "Imported files"}

var refusalMeanings = map[tenant.Refusal]string{
	tenant.RefusedValidation:  "had a mistake, such as an email that is none",
	tenant.RefusedDuplicate:   "had the email of a lead that is there, which stayed as it was",
	tenant.RefusedNotFound:    "named a chatbot that does not exist",
	tenant.RefusedMediaType:   "were of a type of content that is not taken",
	tenant.RefusedTooLarge:    "were too large",
	tenant.RefusedTimeout:     "did not arrive in time",
	tenant.RefusedCaptcha:     "did not pass the captcha",
	tenant.RefusedOrigin:      "came from a page that may not use the form: add its origin to the form, if it is yours",
	tenant.RefusedForbidden:   "came with a key that may not create leads",
	tenant.RefusedIdempotency: "used an Idempotency-Key again, with another request",
}

type booksPage struct {
	From, Until string // the last day is part of it
	Form        string
	Forms       []bookSum // to choose from
	Totals      bookCounts
	Reasons     []reason
	Chart       []webui.Bar
	Days, Ways  []bookSum
	FormSums    []bookSum
}

// bookSum is what was counted under one name.
type bookSum struct {
	ID, Name string
	bookCounts
}

type reason struct {
	N     int
	Means string
}

// readBooks asks for the books of the days that the query names, of which the last is part.
func (v *visit) readBooks() (b books, from, until string, err error) {
	q := v.r.URL.Query()
	today := v.Now().UTC()
	until, from = q.Get("until"), q.Get("from")
	if until == "" {
		until = today.Format(time.DateOnly)
	}
	if from == "" {
		from = today.AddDate(0, 0, 1-days).Format(time.DateOnly)
	}
	asked := url.Values{"from": {from}, "until": {until}}
	if last, err := time.Parse(time.DateOnly, until); err == nil {
		asked.Set("until", last.AddDate(0, 0, 1).Format(time.DateOnly)) // which is not part
	}
	if form := q.Get("form"); form != "" {
		asked.Set("form", form)
	}
	err = v.get("/api/v1/books", asked, &b)
	return b, from, until, err
}

// showBooks shows what was received and what became of it: each day, each way in, each form.
func showBooks(v *visit) error {
	b, from, until, err := v.readBooks()
	if err != nil && !isStatus(err, http.StatusBadRequest) && !isStatus(err, http.StatusNotFound) {
		return err
	}
	v.problem = err // the range is shown again, with what is wrong about it
	names, err := v.keyNames()
	if err != nil {
		return err
	}
	p := booksPage{From: from, Until: until, Form: v.r.URL.Query().Get("form"), Totals: b.Totals}
	for i := range b.Lines {
		l := &b.Lines[i]
		p.Days = addTo(p.Days, l.Day, l.Day, &l.bookCounts)
		p.Ways = addTo(p.Ways, l.Way, wayMeanings[l.Way], &l.bookCounts)
		if l.FormID != "" {
			p.FormSums = addTo(p.FormSums, l.FormID, orElse(names[l.FormID], l.FormID), &l.bookCounts)
		}
	}
	if v.problem == nil { // else the range may have no end
		p.Chart = chartDays(p.Days, from, until)
	}
	for why, n := range b.Totals.RefusedBy {
		p.Reasons = append(p.Reasons, reason{n, orElse(refusalMeanings[tenant.Refusal(why)], why)})
	}
	slices.SortFunc(p.Reasons, func(a, b reason) int { return b.N - a.N })
	p.Forms = p.FormSums
	return v.show("books.html", "Books", p)
}

// chartDays draws the days of a range, with those on which nothing came.
func chartDays(all []bookSum, from, until string) (bars []webui.Bar) {
	day, _ := time.Parse(time.DateOnly, from) // the API has read both
	last, _ := time.Parse(time.DateOnly, until)
	for ; !day.After(last); day = day.AddDate(0, 0, 1) {
		var d bookSum
		name := day.Format(time.DateOnly)
		if at := slices.IndexFunc(all, func(s bookSum) bool { return s.ID == name }); at >= 0 {
			d = all[at]
		}
		bars = append(bars, webui.Bar{Value: d.Received, Second: d.Held + d.Refused + d.Limited,
			Label: name + ": " + plainNumber(d.Received) + " received, " + plainNumber(d.New) + " new"})
	}
	return bars
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// addTo adds counts to the sum of an id, which it makes where there is none.
func addTo(all []bookSum, id, name string, n *bookCounts) []bookSum {
	at := slices.IndexFunc(all, func(s bookSum) bool { return s.ID == id })
	if at < 0 {
		all = append(all, bookSum{ID: id, Name: name})
		at = len(all) - 1
	}
	all[at].add(*n)
	return all
}

// exportBooks answers the lines of the books as CSV.
func exportBooks(v *visit) error {
	b, from, until, err := v.readBooks()
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="books-`+dayOr(from)+`-`+dayOr(until)+`.csv"`)
	h.Set("Cache-Control", "no-store")
	v.written = true
	out := csv.NewWriter(v.w)
	_ = out.Write([]string{"day", "way", "formId", "received", "new", "appended", "updated", "held", "suppressed",
		"limited", "refused"}) // a failed write means the client has left
	for i := range b.Lines {
		l := &b.Lines[i]
		row := []string{l.Day, l.Way, l.FormID}
		for _, n := range []int{l.Received, l.New, l.Appended, l.Updated, l.Held, l.Suppressed, l.Limited, l.Refused} {
			row = append(row, strconv.Itoa(n))
		}
		_ = out.Write(row)
	}
	out.Flush()
	return nil
}

// dayOr is a day, or "day" where text is none: it stands in a file's name.
func dayOr(text string) string {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return "day"
	}
	return text
}
