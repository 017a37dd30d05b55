package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"leadgate/shared/client"
	"leadgate/shared/config"
)

type submissionCommand struct {
	List    listSubmissions    `cmd:"" help:"List submissions, newest first: --verdict=held is the quarantine."`
	Show    showSubmission     `cmd:"" help:"Show a submission with its fields, and why it has its verdict."`
	Export  exportSubmissions  `cmd:"" help:"Write submissions to a CSV or NDJSON file."`
	Release releaseSubmissions `cmd:"" help:"Release held submissions: each becomes what it would become if it came now."`
	Spam    spamSubmissions    `cmd:"" help:"Mark submissions as spam."`
}

// submissionPatience is how long these commands repeat a request that the API asks to repeat: many ids, or pages, go
// beyond a rate limit.
const submissionPatience = 10 * time.Second

// patient returns a client that waits where the API asks to come again later.
func (a access) patient(waits client.Options) *client.Client {
	waits.Patience = submissionPatience
	return a.client(waits)
}

// submissionFilter are the flags that select submissions.
type submissionFilter struct {
	Verdict string `name:"verdict" help:"Only submissions of this verdict, or of these: held,spam."`
	Outcome string `name:"outcome" help:"Only submissions of which this became: new, appended, updated, ignored, held or suppressed."`
	Form    string `name:"form" placeholder:"key_..." help:"Only submissions of the form with this key."`
	Lead    string `name:"lead" placeholder:"lead_..." help:"Only submissions about this lead."`
	From    string `name:"from" placeholder:"TIME" help:"Only submissions received then or later (RFC 3339), or that day (UTC) or later."`
	Until   string `name:"until" placeholder:"TIME" help:"Only submissions received before then, or to the end of that day."`
	Text    string `name:"text" help:"Only submissions with this in the email, the name or a field."`
}

func (f *submissionFilter) filter() client.SubmissionFilter {
	return client.SubmissionFilter{Verdict: f.Verdict, Outcome: f.Outcome, FormID: f.Form, LeadID: f.Lead, From: f.From,
		Until: f.Until, Text: f.Text}
}

// Limits of a list on a terminal, and of a page of the API.
const (
	maxListed    = 10_000
	maxOfAPIPage = 200
)

type listSubmissions struct {
	access `set:"scopes=leads:read"`
	output
	submissionFilter
	Limit int `name:"limit" default:"100" help:"How many are listed at most, 1 to 10000."`
}

// Check says everything that is wrong with what the API cannot say.
func (l *listSubmissions) Check() []error {
	mistakes := l.access.Check()
	if l.Limit < 1 || l.Limit > maxListed {
		mistakes = append(mistakes, config.Invalid("limit", "must be from 1 to %d, not %d", maxListed, l.Limit))
	}
	return mistakes
}

func (l *listSubmissions) run(ctx context.Context, waits client.Options, out, says io.Writer) error {
	api := l.patient(waits)
	defer api.Close()
	all, cursor := []client.Submission{}, ""
	for {
		p, err := api.ListSubmissions(ctx, l.filter(), min(l.Limit-len(all), maxOfAPIPage), cursor)
		if err != nil {
			return err
		}
		all, cursor = append(all, p.Data...), p.NextCursor
		if cursor == "" || len(all) >= l.Limit {
			break
		}
	}
	text := table("ID\tRECEIVED\tFORM\tVERDICT\tPOINTS\tOUTCOME\tLEAD\tEMAIL\tNAME", all, func(s client.Submission) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s", s.ID, minute(&s.CreatedAt), s.FormID, s.Verdict, s.Points,
			s.Outcome, textOf(s.LeadID), textOf(s.Email), textOf(s.Name))
	})
	if err := l.show(out, all, text); err != nil {
		return err
	}
	if cursor != "" {
		fmt.Fprintf(says, "There may be more than these %d: raise --limit, or say more of what you look for\n", len(all))
	}
	return nil
}

type exportSubmissions struct {
	access `set:"scopes=leads:read"`
	exportFile
	submissionFilter
}

// Check says everything that is wrong with what the API cannot say.
func (e *exportSubmissions) Check() []error { return append(e.access.Check(), e.exportFile.Check()...) }

func (e *exportSubmissions) run(ctx context.Context, waits client.Options, stdout, says io.Writer) error {
	api := e.client(waits)
	defer api.Close()
	rows, err := api.ExportSubmissions(ctx, e.options(), e.filter())
	if err != nil {
		return err
	}
	return e.write(rows, "submissions", stdout, says)
}

type showSubmission struct {
	access `set:"scopes=leads:read"`
	output
	ID string `arg:"" placeholder:"sub_..." help:"The submission, sub_...."`
}

func (c *showSubmission) run(ctx context.Context, waits client.Options, out, _ io.Writer) error {
	api := c.patient(waits)
	defer api.Close()
	s, err := api.GetSubmission(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(out, s, describeSubmission(&s))
}

// describeSubmission shows all that is known of a submission.
func describeSubmission(s *client.Submission) string {
	lines := [][2]string{
		{"Submission", s.ID}, {"Received", minute(&s.CreatedAt)}, {"Form", s.FormID},
		{"Verdict", fmt.Sprintf("%s, %d points", s.Verdict, s.Points)},
	}
	for _, r := range s.Reasons {
		lines = append(lines, [2]string{"", strings.TrimSpace(fmt.Sprintf("%d %s %s", r.Points, r.Check, r.Note))})
	}
	if s.DecidedAt != nil {
		lines = append(lines, [2]string{"Decided", minute(s.DecidedAt)})
	}
	lines = append(lines, [2]string{"Outcome", s.Outcome}, [2]string{"Lead", textOf(s.LeadID)},
		[2]string{"Email", textOf(s.Email)}, [2]string{"Name", textOf(s.Name)}, [2]string{"Page", textOf(s.Page)},
		[2]string{"Referrer", textOf(s.Referrer)}, [2]string{"Browser", textOf(s.UserAgent)})
	for _, name := range slices.Sorted(maps.Keys(s.Campaign)) {
		lines = append(lines, [2]string{"Campaign", name + "=" + s.Campaign[name]})
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%-12s%s\n", line[0], printable(line[1]))
	}
	var fields bytes.Buffer
	if len(s.Fields) > 0 && json.Indent(&fields, s.Fields, "", "  ") == nil {
		b.WriteString("Fields\n")
		for line := range strings.SplitSeq(fields.String(), "\n") {
			b.WriteString(printable(line) + "\n")
		}
	}
	return b.String()
}

// textOf shows a text in a cell, and none as "-".
func textOf(text *string) string {
	if text == nil {
		return "-"
	}
	return printable(*text)
}

// printable returns a text without what would move the cursor of a terminal, or turn its text around: strangers wrote
// it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
}

// decision is what a command decides about submissions.
type decision struct {
	output
	IDs []string `arg:"" name:"id" placeholder:"sub_..." help:"Submissions, sub_...."`
}

type releaseSubmissions struct {
	access `set:"scopes=leads:write"`
	decision
}

func (c *releaseSubmissions) run(ctx context.Context, waits client.Options, out, _ io.Writer) error {
	api := c.patient(waits)
	defer api.Close()
	return c.decide(ctx, api.ReleaseSubmission, out, "released", func(s client.Submission) string {
		return fmt.Sprintf("Released %s: %s, lead %s\n", s.ID, s.Outcome, textOf(s.LeadID))
	})
}

type spamSubmissions struct {
	access `set:"scopes=leads:write"`
	decision
}

func (c *spamSubmissions) run(ctx context.Context, waits client.Options, out, _ io.Writer) error {
	api := c.patient(waits)
	defer api.Close()
	return c.decide(ctx, api.MarkSpam, out, "marked as spam", func(s client.Submission) string {
		return fmt.Sprintf("Marked %s as spam; lead %s\n", s.ID, textOf(s.LeadID))
	})
}

// decide decides about each submission, and goes on when it cannot about one. The error says which were left.
func (d *decision) decide(ctx context.Context, do func(context.Context, string) (client.Submission, error),
	out io.Writer, done string, describe func(client.Submission) string) error {
	decided, left := []client.Submission{}, []error{}
	for _, which := range d.IDs {
		s, err := do(ctx, which)
		if err != nil {
			left = append(left, fmt.Errorf("%s: %w", which, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		decided = append(decided, s)
		if !d.JSON {
			if _, err := io.WriteString(out, describe(s)); err != nil {
				return err
			}
		}
	}
	if d.JSON {
		if err := d.show(out, decided, ""); err != nil {
			return err
		}
	}
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d submissions were not %s\n%w", len(d.IDs)-len(decided), len(d.IDs), done,
		errors.Join(left...))
}
