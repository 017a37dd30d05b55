package pg

import (
	"context"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
)

// batch erases the next batch of events or, once there are no more, of submissions; more: there may be others.
func (e *erasing) batch(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	if more, err = e.events(ctx, tx); more || err != nil {
		return more, err
	}
	return e.submissions(ctx, tx)
}

// submissions deletes the next submissions of the lead, those that retention has kept, and those of its email that made
// no lead: what is in quarantine, or was spam.
func (e *erasing) submissions(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	const deleteSubmissions = `
with found as materialized (
    (select workspace_id, id from submissions
      where workspace_id = (select $1::uuid) and lead_id between $2 and $2
      order by lead_id, id limit $4)
    union all
    (select workspace_id, id from submissions
      where workspace_id = (select $1::uuid) and lead_id is null and email_key between $3 and $3
      order by email_key limit $4)
)
delete from submissions s using found f where s.workspace_id = f.workspace_id and s.id = f.id`
	const deleteKept = `delete from kept_submissions where workspace_id = (select $1::uuid) and lead_id between $2 and $2`
	n, err := conn.Exec(ctx, tx, "erase submissions", deleteSubmissions, e.workspace, e.lead, e.Lead.AddressKey(), eraseBatch)
	e.Submissions += n
	if n >= eraseBatch || err != nil {
		return err == nil, err
	}
	n, err = conn.Exec(ctx, tx, "erase kept submissions", deleteKept, e.workspace, e.lead)
	e.Submissions += n
	return false, err
}
