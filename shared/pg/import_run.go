package pg

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/tenant"
)

// ImportRef names an import.
type ImportRef struct {
	Workspace id.UUID
	Import    id.UUID
}

// DueImports returns up to limit imports whose file is there and that have not ended. It looks across workspaces.
func (db *DB) DueImports(ctx context.Context, limit int) ([]ImportRef, error) {
	const q = `select workspace_id, id from imports where state in ('waiting', 'running') order by id limit $1`
	return db.importRefs(ctx, q, limit)
}

func (db *DB) importRefs(ctx context.Context, q string, args ...any) ([]ImportRef, error) {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, fail(ctx, "find imports", err)
	}
	defer rows.Close()
	var all []ImportRef
	for rows.Next() {
		var r ImportRef
		if err := rows.Scan(&r.Workspace, &r.Import); err != nil {
			return nil, fail(ctx, "find imports", err)
		}
		all = append(all, r)
	}
	return all, fail(ctx, "find imports", rows.Err())
}

// BeginImport takes up an import where it stands, with the settings its workspace has now. ok is false for one that is not to be worked on.
func (db *DB) BeginImport(ctx context.Context, workspace, imp id.UUID) (i leadfile.Import, s tenant.Settings, ok bool, err error) {
	const q = `
update imports i set state = 'running', updated_at = now()
 where i.workspace_id = $1 and i.id = $2 and i.state in ('waiting', 'running') returning ` + importColumns
	i, err = scanImport(db.QueryRowContext(ctx, q, workspace, imp))
	if errors.Is(err, sql.ErrNoRows) {
		return i, s, false, nil
	}
	if err != nil {
		return i, s, false, fail(ctx, "begin import", err)
	}
	w, err := db.GetWorkspace(ctx, workspace)
	return i, w.Settings.WithDefaults(), err == nil, err
}

// ImportRow is a row that is fit to be a lead.
type ImportRow struct {
	NewLead
	Number int
	Patch  lead.Patch // for the lead that has its email
}

// ImportBatch is what one commit does for an import.
type ImportBatch struct {
	Workspace, Import id.UUID
	From, To          int64              // the position, before and after
	Rows              []ImportRow        // in the order of the file
	Mistakes          []leadfile.Mistake // of other rows
	OnDuplicate       lead.OnDuplicate
	Quiet             bool           // a changed lead makes no event
	End               leadfile.State // Done or Failed with the Reason; "": it goes on
	Reason            string
}

// ImportResult is what a round came to.
type ImportResult struct {
	Lost    bool // nothing was done: the import has ended, or somebody else has moved its position
	Tally   leadfile.Tally
	Holders []LeadResult // of the round's rows, in order: which lead has the row's email now
	Wake    []EndpointRef
}

// importEnrichDelay is how long the enrichment of imported leads waits: it would take half of the processor from the import, and it lets leads that
// come in meanwhile go first.
const importEnrichDelay = time.Minute

// errLeadDeleted ends a transaction in which a lead disappeared between two statements.
var errLeadDeleted = errors.New("a lead was deleted meanwhile")

// ImportRows makes leads of rows, with everything that InsertLeads and UpdateLead write, notes what was wrong with rows, counts them, and moves
// the position, all in one commit: whoever is killed, and however many work on it, each row counts once. Where Postgres refuses a row for what
// is in it, nothing is done and the error has its SQLSTATE.
func (db *DB) ImportRows(ctx context.Context, r *ImportBatch) (out ImportResult, err error) {
	stmt, err := db.prepared(ctx, insertLeads)
	if err != nil {
		return out, fail(ctx, "prepare insert leads", err)
	}
	for try := 1; ; try++ {
		run := importRun{ImportBatch: r}
		err = db.InTx(ctx, func(tx *sqlx.Tx) error {
			run.stmt = tx.StmtxContext(ctx, stmt)
			return run.do(ctx, tx)
		})
		if !errors.Is(err, errLeadDeleted) && !gaveWay(err) {
			return run.out, err
		}
		if try == changeTries {
			return ImportResult{}, fault.StoreUnavailable(err, time.Second)
		}
		if err := pause(ctx, try); err != nil {
			return ImportResult{}, fault.StoreUnavailable(err, time.Second)
		}
	}
}

// importRun is one try of a round.
type importRun struct {
	*ImportBatch
	stmt     *sqlx.Stmt // insertLeads, in the transaction
	out      ImportResult
	mistakes []leadfile.Mistake // those of the round, and those it found out
	updates  []importUpdate
}

// importUpdate is a row for a lead that is there.
type importUpdate struct {
	lead id.UUID
	row  *ImportRow
}

func (r *importRun) do(ctx context.Context, tx *sqlx.Tx) error {
	const take = `select from imports where workspace_id = $1 and id = $2 and state = 'running' and position = $3 for no key update`
	res, err := tx.ExecContext(ctx, take, r.Workspace, r.Import, r.From)
	if err != nil {
		return fail(ctx, "take import", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		r.out.Lost = true
		return nil
	}
	r.mistakes = slices.Clone(r.Mistakes)
	t := &r.out.Tally
	t.Rows, t.Rejected = len(r.Rows)+len(r.Mistakes), len(r.Mistakes)
	if len(r.Rows) > 0 {
		if err := r.insert(ctx, tx); err != nil {
			return err
		}
	}
	if err := r.update(ctx, tx); err != nil {
		return err
	}
	if err := r.report(ctx, tx); err != nil {
		return err
	}
	if err := r.move(ctx, tx); err != nil {
		return err
	}
	// Last: the day's row is everybody's.
	if t.Rows == 0 {
		return nil
	}
	return addUsage(ctx, tx, []tenant.Usage{{WorkspaceID: r.Workspace, Day: time.Now(), Accepted: int64(t.Created), Duplicates: int64(t.Updated + t.Duplicates), Rejected: int64(t.Rejected)}})
}

// insert makes new leads; of several rows with one email, the first in the file.
func (r *importRun) insert(ctx context.Context, tx *sqlx.Tx) error {
	leads := make([]NewLead, 0, len(r.Rows))
	at := make([]int, len(r.Rows)) // of the row's lead in leads
	byKey := make(map[string]int, len(r.Rows))
	for i := range r.Rows {
		l := &r.Rows[i].NewLead
		n, again := byKey[l.UniqueKey]
		if !again {
			n = len(leads)
			byKey[l.UniqueKey] = n
			leads = append(leads, *l)
		}
		at[i] = n
	}
	in, err := runInsertLeads(ctx, r.stmt, tx, leads, importEnrichDelay)
	if err != nil {
		return err
	}
	r.out.Wake = in.Wake
	r.out.Holders = make([]LeadResult, len(r.Rows))
	for i := range r.Rows {
		first := &leads[at[i]]
		res := in.Leads[at[i]]
		switch {
		case res.Taken && res.Holder == id.UUID{}:
			return errLeadDeleted
		case !res.Taken:
			res = LeadResult{Taken: first.ID != r.Rows[i].ID, Holder: first.ID}
		}
		r.out.Holders[i] = res
		if !res.Taken {
			r.out.Tally.Created++
			continue
		}
		r.duplicate(&r.Rows[i], res.Holder)
	}
	return nil
}

// duplicate sees to a row whose email a lead has.
func (r *importRun) duplicate(row *ImportRow, holder id.UUID) {
	switch r.OnDuplicate {
	case lead.UpdateDuplicate:
		r.updates = append(r.updates, importUpdate{holder, row})
		return
	case lead.ReturnDuplicate:
	default:
		r.mistakes = append(r.mistakes, leadfile.Mistake{Row: row.Number, Code: string(fault.Duplicate), Field: "email", Value: fault.Truncate(row.Email),
			Message: "A lead with this email already exists in your workspace", Lead: holder})
	}
	r.out.Tally.Duplicates++
}

// update gives leads what rows have for them: lead after lead in the order of their ids, row after row in that of the file.
func (r *importRun) update(ctx context.Context, tx *sqlx.Tx) error {
	slices.SortStableFunc(r.updates, func(a, b importUpdate) int { return slices.Compare(a.lead[:], b.lead[:]) })
	for _, u := range r.updates {
		apply := updateLeadTx
		if r.Quiet {
			apply = updateQuietly
		}
		done, err := apply(ctx, tx, r.Workspace, u.lead, u.row.Patch.Apply)
		switch {
		case err == nil:
			r.out.Tally.Updated++
			r.out.Wake = append(r.out.Wake, done.Wake...)
		case fault.Is(err, fault.NotFound):
			return errLeadDeleted
		case fault.Is(err, fault.Validation):
			r.out.Tally.Rejected++
			r.mistakes = append(r.mistakes, leadfile.Mistake{Row: u.row.Number, Code: string(fault.Validation), Field: "metadata",
				Message: "Must not make the metadata of the lead that has this email too large", Lead: u.lead})
		default:
			return err
		}
	}
	slices.SortFunc(r.out.Wake, func(a, b EndpointRef) int { return slices.Compare(a.Endpoint[:], b.Endpoint[:]) })
	r.out.Wake = slices.Compact(r.out.Wake)
	return nil
}

// updateQuietly is updateLeadTx without an event.
func updateQuietly(ctx context.Context, tx *sqlx.Tx, workspace, leadID id.UUID, change func(*lead.Lead) error) (u Updated, err error) {
	const q = `update enrichments set due_at = now(), attempts = 0 where workspace_id = $1 and lead_id = $2`
	l, now, err := lockLead(ctx, tx, workspace, leadID, `l.deleted_at is null`)
	if err != nil {
		return u, err
	}
	u.Lead, u.Former = l, l
	if err := change(&u.Lead); err != nil || !lead.Differs(&u.Lead, &u.Former) {
		return u, err
	}
	u.Changed, u.Lead.UpdatedAt = true, lead.NextUpdate(l.UpdatedAt, now)
	if err := writeLead(ctx, tx, &u); err != nil {
		return u, err
	}
	_, err = tx.ExecContext(ctx, q, workspace, leadID)
	return u, fail(ctx, "owe enrichment", err)
}

// report writes why rows made no lead. What it tells of a lead is erased with the lead: one that was erased since it was found is not told of,
// and the others cannot be before the commit.
func (r *importRun) report(ctx context.Context, tx *sqlx.Tx) error {
	const q = `
with there as materialized (
    select id from leads where workspace_id = $1 and id = any($8::uuid[]) order by id for key share
)
insert into import_errors (workspace_id, import_id, row, code, field, value, message, lead_id)
select $1, $2, m.row, m.code, m.field, case when m.lead_id is null or l.id is not null then m.value end,
       case when m.lead_id is null or l.id is not null then m.message else '` + erasedReport + `' end, l.id
  from unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[]) as m (row, code, field, value, message, lead_id)
  left join there l on l.id = m.lead_id`
	if len(r.mistakes) == 0 {
		return nil
	}
	slices.SortFunc(r.mistakes, func(a, b leadfile.Mistake) int { return cmp.Compare(a.Row, b.Row) })
	n := len(r.mistakes)
	rows, codes, fields, values, messages, leads := newColumn(n, 7), newColumn(n, 16), newColumn(n, 8), newColumn(n, 24), newColumn(n, 64), newColumn(n, 36)
	for _, m := range r.mistakes {
		rows.int(int64(m.Row))
		codes.string(m.Code)
		fields.string(m.Field)
		values.optionalString(m.Value)
		messages.string(m.Message)
		leads.optionalUUID(m.Lead)
	}
	_, err := tx.ExecContext(ctx, q, r.Workspace, r.Import, rows.done(), codes.done(), fields.done(), values.done(), messages.done(), leads.done())
	return fail(ctx, "report rows", err)
}

// move counts the rows and says where the import stands now.
func (r *importRun) move(ctx context.Context, tx *sqlx.Tx) error {
	const q = `
update imports set position = $3, rows = rows + $4, created = created + $5, updated = updated + $6, duplicates = duplicates + $7, rejected = rejected + $8,
       state = coalesce(nullif($9, ''), state), reason = nullif($10, ''), updated_at = now(), finished_at = case when $9 <> '' then now() end
 where workspace_id = $1 and id = $2`
	t := &r.out.Tally
	_, err := tx.ExecContext(ctx, q, r.Workspace, r.Import, r.To, t.Rows, t.Created, t.Updated, t.Duplicates, t.Rejected, string(r.End), r.Reason)
	return fail(ctx, "move import", err)
}
