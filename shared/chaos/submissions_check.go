package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/client"
	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

func (h *submissionHook) endpoint() client.NewWebhook {
	return client.NewWebhook{URL: h.URL, EventTypes: []string{webhook.LeadCreated, webhook.LeadSubmitted}}
}

// readSubmission is a submission as the API shows it.
type readSubmission struct {
	ID, LeadID string
	Outcome    lead.Outcome
	Fields     struct{ Message string }
}

// bookTotals are the totals of the books as the API shows them.
type bookTotals struct {
	Received, New, Appended, Updated, Held, Refused, Suppressed, Limited, HeldNotKept, Imbalance int
}

// submissionBook is what can be read when all is over.
type submissionBook struct {
	all    []readSubmission
	totals bookTotals
}

func (b *submissionBook) outcomes() map[lead.Outcome]int {
	n := map[lead.Outcome]int{}
	for i := range b.all {
		n[b.all[i].Outcome]++
	}
	return n
}

func (b *submissionBook) String() string {
	var parts []string
	n := b.outcomes()
	for _, o := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%s %d", o, n[o]))
	}
	return fmt.Sprintf("%d submissions: %s; the books: %+v", len(b.all), strings.Join(parts, ", "), b.totals)
}

// readSubmissions reads all submissions, page by page, and the books.
func (run *runner) readSubmissions(ctx context.Context) (*submissionBook, error) {
	b := &submissionBook{}
	for cursor := ""; ; {
		var page struct {
			Data       []readSubmission
			NextCursor string
		}
		path := "/api/v1/submissions?limit=200"
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := run.getJSON(ctx, path, &page); err != nil {
			return nil, err
		}
		b.all = append(b.all, page.Data...)
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	var books struct {
		Data struct{ Totals bookTotals }
	}
	err := run.getJSON(ctx, "/api/v1/books", &books)
	b.totals = books.Data.Totals
	return b, err
}

// getJSON reads what the API has at path.
func (run *runner) getJSON(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, run.URL+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+run.Key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", path, res.StatusCode, body)
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	return err
}

// check returns every line of the promise that was violated: each post is there once, a webhook told of each that was
// delivered, and the books are those of what is there.
func (b *submissionBook) check(posts int, hook *submissionHook) error {
	var violations []error
	violated := func(format string, args ...any) { violations = append(violations, fmt.Errorf(format, args...)) }
	times := map[string]int{}
	for i := range b.all {
		times[b.all[i].Fields.Message]++
	}
	missing, doubled := 0, 0
	for n := 1; n <= posts; n++ {
		switch times[message(n)] {
		case 0:
			missing++
		case 1:
		default:
			doubled++
		}
	}
	if missing > 0 || doubled > 0 || len(b.all) != posts {
		violated("of %d posts that were answered with success %d are missing and %d are there more than once; %d submissions in all",
			posts, missing, doubled, len(b.all))
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	for i := range b.all {
		s := &b.all[i]
		if s.Outcome == lead.OutcomeNew && !hook.created[s.LeadID] {
			violated("%s: its lead's lead.created never arrived", s.ID)
		}
		if s.Outcome == lead.OutcomeAppended && !hook.submitted[s.ID] {
			violated("%s: its lead.submitted never arrived", s.ID)
		}
	}
	n, t := b.outcomes(), b.totals
	if t.Imbalance != 0 || t.Received != posts || t.New != n[lead.OutcomeNew] || t.Appended != n[lead.OutcomeAppended] ||
		t.Held != n[lead.OutcomeHeld] {
		violated("the books do not balance, or are not those of what is there")
	}
	if n[lead.OutcomeNew] == 0 || n[lead.OutcomeAppended] == 0 || n[lead.OutcomeHeld] == 0 {
		violated("not every outcome was tried")
	}
	return joinFirst(violations)
}
