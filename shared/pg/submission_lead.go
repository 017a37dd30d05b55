package pg

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// briefColumns are the columns of a submission without what was typed, for scanBrief.
const briefColumns = `id, form_id, lead_id, outcome, verdict, points, reasons, page, referrer, campaign, created_at, decided_at`

// briefOfLead returns a statement that reads up to $3 submissions of the lead $2 in an order, asc or desc. One that
// retention has kept may still be in its week, which is not dropped yet.
func briefOfLead(order string) string {
	ordered := ` order by lead_id ` + order + `, id ` + order + ` limit $3`
	return `
(select ` + briefColumns + ` from (
    (select ` + briefColumns + ` from submissions
      where workspace_id = (select $1::uuid) and lead_id between $2 and $2` + ordered + `)
    union all
    (select ` + briefColumns + ` from kept_submissions k
      where workspace_id = (select $1::uuid) and lead_id between $2 and $2
        and not exists (
            select from submissions s
             where s.workspace_id = ` + conn.Either("k.workspace_id", "$1") + ` and s.id between k.id and k.id order by s.id offset 0)` + ordered + `)) s` + ordered + `)`
}

var (
	firstOfLead   = briefOfLead("asc")
	touchesOfLead = briefOfLead("asc") + ` union all ` + briefOfLead("desc")
)

// Touches are the first and the last time that a lead came by a form.
type Touches struct{ First, Last *lead.Submission } // nil: it never did

// LeadTouches returns the first and the last submission of a lead, without what was typed: retention keeps both as long
// as the lead.
func (db *DB) LeadTouches(ctx context.Context, workspace, leadID id.UUID) (t Touches, err error) {
	all, err := db.briefSubmissions(ctx, touchesOfLead, workspace, leadID, 1)
	if len(all) > 0 {
		t.First, t.Last = &all[0], &all[len(all)-1]
	}
	return t, err
}

// leadSubmissions returns up to limit of a lead's submissions, oldest first, without what was typed.
func (db *DB) leadSubmissions(ctx context.Context, workspace, leadID id.UUID, limit int) ([]lead.Submission, error) {
	return db.briefSubmissions(ctx, firstOfLead, workspace, leadID, limit)
}

func (db *DB) briefSubmissions(ctx context.Context, q string, workspace, leadID id.UUID, limit int) (
	all []lead.Submission, err error) {
	err = db.inOrderOfIndex(ctx, func(tx *sqlx.Tx) error {
		all, err = conn.Collect(ctx, tx, "read submissions of lead", scanBrief, q, workspace, leadID, limit)
		return err
	})
	slices.SortFunc(all, func(x, y lead.Submission) int { return bytes.Compare(x.ID[:], y.ID[:]) }) // a union has no order
	return all, err
}

// inOrderOfIndex runs statements of lists that have the order of an index. Where Postgres believes that there are few
// rows, such as none of the workspace in a week, it would read all that are there and sort them.
func (db *DB) inOrderOfIndex(ctx context.Context, do func(tx *sqlx.Tx) error) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := conn.Exec(ctx, tx, "list in order", `set local enable_sort = off`); err != nil {
			return err
		}
		return do(tx)
	})
}

func scanBrief(row conn.Row) (s lead.Submission, err error) {
	var page, referrer sql.NullString
	var reasons, campaign []byte
	var decided sql.NullTime
	err = row.Scan(&s.ID, &s.FormID, &s.LeadID, &s.Outcome, &s.Verdict, &s.Points, &reasons, &page, &referrer, &campaign,
		&s.CreatedAt, &decided)
	if err == nil {
		err = json.Unmarshal(reasons, &s.Reasons)
	}
	if err == nil && campaign != nil {
		err = json.Unmarshal(campaign, &s.Campaign)
	}
	s.Page, s.Referrer, s.DecidedAt = page.String, referrer.String, decided.Time
	return s, err
}
