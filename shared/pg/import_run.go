package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// ImportRef names an import.
type ImportRef struct {
	Workspace id.UUID
	Import    id.UUID
}

// DueImports returns up to limit imports whose file is there and that have not ended, of workspaces that are
// not suspended. It looks across workspaces.
func (db *DB) DueImports(ctx context.Context, limit int) ([]ImportRef, error) {
	q := `
select workspace_id, id from imports
 where state in ('waiting', 'running') and ` + isActive("workspace_id") + `
 order by id limit $1`
	return db.importRefs(ctx, q, limit)
}

func (db *DB) importRefs(ctx context.Context, q string, args ...any) ([]ImportRef, error) {
	scan := func(row conn.Row) (r ImportRef, err error) {
		err = row.Scan(&r.Workspace, &r.Import)
		return r, err
	}
	return conn.Collect(ctx, db, "find imports", scan, q, args...)
}

// BeginImport takes up an import where it stands, with the settings its workspace has now. ok is false for one that is
// not to be worked on.
func (db *DB) BeginImport(ctx context.Context, workspace, imp id.UUID) (i leadfile.Import, s tenant.Settings, ok bool,
	err error) {
	const q = `
update imports i set state = 'running', updated_at = now()
 where i.workspace_id = $1 and i.id = $2 and i.state in ('waiting', 'running')
returning ` + importColumns
	if i, ok, err = conn.Find(ctx, db, "begin import", scanImport, q, workspace, imp); err != nil || !ok {
		return i, s, false, err
	}
	w, err := db.GetWorkspace(ctx, workspace)
	return i, w.Settings.WithDefaults(), err == nil, err
}

// SubscribedEndpoints returns how many endpoints of a workspace want events of one of the types.
func (db *DB) SubscribedEndpoints(ctx context.Context, workspace id.UUID, types ...string) (int, error) {
	const q = `
select count(*) from endpoints
 where workspace_id = $1 and deleted_at is null
   and event_types && (select array_agg(t) || array_agg(split_part(t, '.', 1) || '.*') from unnest($2::text[]) t)`
	list := newColumn(texts, len(types))
	for _, t := range types {
		list.string(t)
	}
	return conn.One(ctx, db, "count subscribed endpoints", conn.Value[int], nil, q, workspace, list.done())
}

// ImportRow is a row that is fit to be a lead.
type ImportRow struct {
	NewLead
	Number int
	Patch  lead.Patch        // for the lead that has its email
	Own    id.UUID           // the lead that the row names, for an update; zero: whichever has its email
	Odd    *leadfile.Mistake // what was odd about it; without a message it is only counted; nil: nothing
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

// ImportResult is what came of a batch.
type ImportResult struct {
	Lost    bool // nothing was done: the import has ended, or somebody else has moved its position
	Tally   leadfile.Tally
	Holders []LeadResult // of the batch's rows, in order: which lead has the row's email now
	Wake    []EndpointRef
}

// importEnrichDelay is how long the enrichment of imported leads waits, unless the import ends before: it would take
// half of the processor from the import, and so leads that come in meanwhile go first.
const importEnrichDelay = time.Minute

// importLockWait is how long a commit waits for another transaction that has one of its emails: it has all its others
// meanwhile.
const importLockWait = 50 * time.Millisecond

// errLeadDeleted ends a transaction in which a lead disappeared between two statements.
var errLeadDeleted = fmt.Errorf("a lead was deleted: %w", conn.ErrRetry)

// ImportRows makes leads of rows, with everything that InsertLeads and UpdateLead write, records what was wrong with
// rows, counts them, and moves the position, all in one commit: whoever is killed, and however many work on it, each
// row counts once. Its events are in the trace of ctx. Where Postgres refuses a row for its content, nothing is done
// and the error is ErrRejected; where another transaction keeps an email, ErrLockTimeout.
func (db *DB) ImportRows(ctx context.Context, b *ImportBatch) (out ImportResult, err error) {
	stmts, err := db.Prepare(ctx, insertFor(ctx), selectDurableHolders)
	if err != nil {
		return out, err
	}
	var c importCommit
	commit := func() error {
		c = importCommit{ImportBatch: b}
		return db.InTx(ctx, func(tx *sqlx.Tx) error {
			c.stmt = stmts.In(tx)
			return c.run(ctx, tx)
		})
	}
	if err := db.withPartitions(ctx, func() error { return conn.Retry(ctx, commit) }); err != nil {
		return ImportResult{}, err
	}
	return c.out, nil
}

// importCommit is one try of a batch.
type importCommit struct {
	*ImportBatch
	stmt       conn.Queryer // of the transaction, with the statements of runInsertLeads prepared
	out        ImportResult
	mistakes   []leadfile.Mistake // those of the batch, and those that it found out
	updates    []importUpdate
	suppressed int             // of the rejected rows
	named      map[int]id.UUID // the leads that rows name, by the row's place in the batch
}

// importUpdate is a row for a lead that is there.
type importUpdate struct {
	lead  id.UUID
	row   *ImportRow
	moves bool // the lead has another email than the row
}

func (c *importCommit) run(ctx context.Context, tx *sqlx.Tx) error {
	const lock = `
select true from imports
 where workspace_id = $1 and id = $2 and state = 'running' and position = $3
   for no key update`
	_, locked, err := conn.Find(ctx, tx, "lock import", conn.Value[bool], lock, c.Workspace, c.Import, c.From)
	if err != nil {
		return err
	}
	if !locked {
		c.out.Lost = true
		return nil
	}
	c.mistakes = slices.Clone(c.Mistakes)
	t := &c.out.Tally
	t.Rows, t.Rejected = len(c.Rows)+len(c.Mistakes), len(c.Mistakes)
	if err := c.findNamed(ctx, tx); err != nil {
		return err
	}
	if len(c.Rows) > 0 {
		if err := c.insert(ctx); err != nil {
			return err
		}
	}
	if err := c.update(ctx, tx); err != nil {
		return err
	}
	if err := c.report(ctx, tx); err != nil {
		return err
	}
	if err := c.move(ctx, tx); err != nil {
		return err
	}
	return c.count(ctx, tx)
}

// count counts the rows in the books.
func (c *importCommit) count(ctx context.Context, tx *sqlx.Tx) error {
	var entries []tenant.BookEntry
	add := func(o tenant.BookOutcome, n int) {
		if n > 0 {
			entries = append(entries, tenant.BookEntry{WorkspaceID: c.Workspace, Way: tenant.WayImport, Outcome: o, N: int64(n)})
		}
	}
	t := &c.out.Tally
	add(tenant.BookNew, t.Created)
	add(tenant.BookUpdated, t.Updated)
	add(tenant.BookSuppressed, c.suppressed)
	add(tenant.RefusedDuplicate.Outcome(), t.Duplicates)
	add(tenant.RefusedValidation.Outcome(), t.Rejected-c.suppressed)
	return addBooks(ctx, tx, entries...)
}

// insert makes new leads; of several rows with one email, the first in the file.
func (c *importCommit) insert(ctx context.Context) error {
	leads := make([]NewLead, 0, len(c.Rows))
	at := make([]int, len(c.Rows)) // of the row's lead in leads
	byKey := make(map[string]int, len(c.Rows))
	span := trace.From(ctx)
	for i := range c.Rows {
		if _, named := c.named[i]; named {
			continue
		}
		l := &c.Rows[i].NewLead
		n, again := byKey[l.UniqueKey]
		if !again {
			n = len(leads)
			byKey[l.UniqueKey] = n
			leads = append(leads, *l)
			leads[n].Trace = span
		}
		at[i] = n
	}
	c.out.Holders = make([]LeadResult, len(c.Rows))
	for i, holder := range c.named {
		c.out.Holders[i] = LeadResult{Taken: true, Holder: holder}
	}
	if len(leads) == 0 {
		return nil
	}
	in, err := runInsertLeads(ctx, c.stmt, leads, insertWaits{enrich: importEnrichDelay, lock: importLockWait})
	if err != nil {
		return err
	}
	c.out.Wake = in.Wake
	for i := range c.Rows {
		if _, named := c.named[i]; named {
			continue
		}
		first := &leads[at[i]]
		res := in.Leads[at[i]]
		switch {
		case res.Suppressed:
			c.out.Holders[i] = res
			c.out.Tally.Rejected++
			c.suppressed++
			c.mistakes = append(c.mistakes, leadfile.Suppressed(c.Rows[i].Number, &c.Rows[i].Lead))
			continue
		case res.Taken && res.Holder == id.UUID{}:
			return errLeadDeleted
		case !res.Taken:
			res = LeadResult{Taken: first.ID != c.Rows[i].ID, Holder: first.ID}
		}
		c.out.Holders[i] = res
		if !res.Taken {
			c.out.Tally.Created++
			c.odd(&c.Rows[i], first.ID)
			continue
		}
		c.duplicate(&c.Rows[i], res.Holder)
	}
	return nil
}

// duplicate sees to a row whose email or phone a lead has.
func (c *importCommit) duplicate(row *ImportRow, holder id.UUID) {
	switch c.OnDuplicate {
	case lead.UpdateDuplicate:
		c.updates = append(c.updates, importUpdate{lead: holder, row: row})
		return
	case lead.ReturnDuplicate:
	default:
		c.mistakes = append(c.mistakes, leadfile.Duplicate(row.Number, &row.Lead, holder))
	}
	c.out.Tally.Duplicates++
}

// update gives leads what rows have for them: lead after lead in the order of their ids, row after row in that of the
// file.
func (c *importCommit) update(ctx context.Context, tx *sqlx.Tx) error {
	slices.SortStableFunc(c.updates, func(a, b importUpdate) int { return slices.Compare(a.lead[:], b.lead[:]) })
	for _, u := range c.updates {
		apply := updateLeadTx
		if c.Quiet {
			apply = updateQuietly
		}
		if u.moves {
			apply = c.moving(apply)
		}
		done, err := apply(ctx, tx, c.Workspace, u.lead, u.row.Patch.Apply)
		var taken *Taken
		switch {
		case err == nil:
			c.out.Tally.Updated++
			c.odd(u.row, u.lead)
			c.out.Wake = append(c.out.Wake, done.Wake...)
		case errors.As(err, &taken):
			c.out.Tally.Duplicates++
			c.mistakes = append(c.mistakes, leadfile.Duplicate(u.row.Number, &u.row.Lead, taken.Holder))
		case fault.IsSuppressed(err):
			c.out.Tally.Rejected++
			c.suppressed++
			c.mistakes = append(c.mistakes, leadfile.Suppressed(u.row.Number, &u.row.Lead))
		case fault.Is(err, fault.NotFound):
			return errLeadDeleted
		case fault.Is(err, fault.Validation):
			c.out.Tally.Rejected++
			c.mistakes = append(c.mistakes, leadfile.MetadataTooLarge(u.row.Number, u.lead))
		default:
			return err
		}
	}
	slices.SortFunc(c.out.Wake, func(a, b EndpointRef) int { return slices.Compare(a.Endpoint[:], b.Endpoint[:]) })
	c.out.Wake = slices.Compact(c.out.Wake)
	return nil
}

// move counts the rows and moves the import's position behind them.
// move moves the position on. At the end nothing keeps the import's leads from their enrichment any more.
func (c *importCommit) move(ctx context.Context, tx *sqlx.Tx) error {
	// Citus would leave out the whole statement where it finds that a condition is never true.
	q := `
with hurried as (
    update enrichment_queue set due_at = now()
     where workspace_id = $1 and ` + conn.Either("due_at > now() and $9 <> ''",
		"due_at > greatest(now(), case when $9 = '' then timestamptz 'infinity' end)") + `
)
update imports
   set position = $3, rows = rows + $4, created = created + $5, updated = updated + $6, duplicates = duplicates + $7,
       rejected = rejected + $8, warnings = warnings + $11, state = coalesce(nullif($9, ''), state),
       reason = nullif($10, ''), updated_at = now(),
       finished_at = now() + case when $9 <> '' then interval '0' end
 where workspace_id = $1 and id = $2`
	t := &c.out.Tally
	_, err := conn.Exec(ctx, tx, "move import", q, c.Workspace, c.Import, c.To, t.Rows, t.Created, t.Updated, t.Duplicates,
		t.Rejected,
		string(c.End), c.Reason, t.Warnings)
	return err
}
