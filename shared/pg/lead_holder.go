package pg

import (
	"context"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// UniqueEmail is an email as it is unique in its workspace.
type UniqueEmail struct {
	Workspace id.UUID
	Key       string // see tenant.Settings.UniqueKey
}

// UniqueEmail returns the email that l has, or wants.
func (l *NewLead) UniqueEmail() UniqueEmail { return UniqueEmail{l.WorkspaceID, l.UniqueKey} }

// FindHolders returns for each of emails, in order, the lead that has it; zero: none has. It looks across workspaces.
func (db *DB) FindHolders(ctx context.Context, emails []UniqueEmail) ([]id.UUID, error) {
	return splitBatch(ctx, db, emails, func(e *UniqueEmail) id.UUID { return e.Workspace },
		func(part []UniqueEmail) ([]id.UUID, error) {
			return findHolders(ctx, db.Prepared(), selectHolders, part)
		})
}

var selectHolders = `
select i.place, l.id
  from unnest($1::uuid[], $2::text[]) with ordinality as i (workspace_id, email_key, place)
 cross join lateral (
    select id from leads
     where workspace_id = ` + batchWorkspace("i.workspace_id") + ` and email_key between i.email_key and i.email_key
     order by email_key limit 1) l`

// selectDurableHolders is selectHolders that writes something, where there are synchronous standbys, so that its
// transaction waits for them: a lead whose own commit was given up while it waited can be seen, and no standby may have
// it yet.
var selectDurableHolders = selectHolders + `
 where (select count(pg_logical_emit_message(true, 'leadgate', ''))
         where current_setting('synchronous_standby_names') <> '') >= 0`

func findHolders(
	ctx context.Context, prepared conn.Queryer, query string, emails []UniqueEmail,
) ([]id.UUID, error) {
	holders := make([]id.UUID, len(emails))
	if len(emails) == 0 {
		return holders, nil
	}
	workspaces, keys := newColumn(uuids, len(emails)), newColumn(texts, len(emails))
	for _, e := range emails {
		workspaces.uuid(e.Workspace)
		keys.string(e.Key)
	}
	err := conn.Each(ctx, prepared, "find holders", func(row conn.Row) error {
		var place int
		var holder id.UUID
		err := row.Scan(&place, &holder)
		if err == nil {
			holders[place-1] = holder
		}
		return err
	}, query, workspaces.done(), keys.done())
	return holders, err
}

// nameHolders looks up, in a snapshot newer than the insert's, which leads have the emails of those taken.
func nameHolders(
	ctx context.Context, prepared conn.Queryer, leads []NewLead, taken map[id.UUID]bool, out []LeadResult,
) error {
	emails, places := make([]UniqueEmail, 0, len(taken)), make([]int, 0, len(taken))
	for i := range leads {
		if taken[leads[i].ID] {
			emails, places = append(emails, leads[i].UniqueEmail()), append(places, i)
		}
	}
	holders, err := findHolders(ctx, prepared, selectDurableHolders, emails)
	if err != nil {
		return err
	}
	for n, i := range places {
		// A lead that holds its own email was inserted by a first try whose answer was lost.
		out[i] = LeadResult{Taken: holders[n] != leads[i].ID, Holder: holders[n]}
	}
	return nil
}
