package pg

import (
	"context"
	"time"

	"github.com/google/uuid"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// LeadSort is the order of a list of leads.
type LeadSort struct {
	Updated   bool // by the last change, or else by creation
	Ascending bool // oldest first
}

// LeadKey is a lead's place in a list. Zero: before the first.
type LeadKey struct {
	UpdatedAt time.Time // counts where the list is sorted by it
	ID        id.UUID
}

// LeadQuery asks, by keyset pagination, for one page of a workspace's leads.
type LeadQuery struct {
	lead.Query
	Deleted                   bool      // only deleted ones, or else only others
	CreatedFrom, CreatedUntil time.Time // created at or after, and before; zero: whenever
	UpdatedFrom, UpdatedUntil time.Time
	Last                      id.UUID // nothing newer than this lead; zero: whatever there is
	DuplicatesAllowed         bool    // the workspace lets an email come any number of times
	Sort                      LeadSort
	After                     LeadKey // the end of the page before
	Limit                     int     // leads on the page
	// scan budget: rows read for it, and found in an index for it, at most; 0: PageScan
	Scan  int
	Facts bool       // with what enrichment found out
	State *ListState // what pages of the same list share; nil: this one is read alone
}

// ListState is what one page of a list finds out and the next ones need not. Its zero value is for the first one.
type ListState struct {
	noIndex bool // no index can narrow the list: too many leads can fit, wherever in the list they are
}

// How much a page scans before it uses an index, and how much of it at a time.
const (
	scanRows        = 2000     // of one statement
	firstScan       = 250      // rows of the first statement, which shows how large they are
	scanBytes       = 4 << 20  // of one statement, about
	scanBudgetBytes = 16 << 20 // of all; a page that has read so much ends
)

// PageBytes is how large a page of leads gets: one that has so much ends.
const PageBytes = 2 << 20

// FindLeads returns a page of a workspace's leads and, unless it is the last one, the place that ends it. It reads a
// bounded number of rows in the order of the list and, where they are not enough and an index can narrow the query,
// those that the index has. Only a query that too many leads nearly fit, or whose leads are large, gets a page that is
// short, or even empty, and yet not the last.
func (db *DB) FindLeads(ctx context.Context, workspace id.UUID, q LeadQuery) (found []lead.Lead, next LeadKey,
	err error) {
	p := &leadSearch{db: db, workspace: workspace, q: q, at: q.After}
	if err := p.fill(ctx); err != nil {
		return nil, next, err
	}
	found = p.found
	switch {
	case len(found) > q.Limit: // one more than asked for shows that there is another page
		found = found[:q.Limit]
		next = p.places[q.Limit-1]
	case !p.ended:
		next = p.at
	}
	if q.Facts {
		err = db.addFacts(ctx, workspace, found)
	}
	return found, next, err
}

// NewestLead is the id of the workspace's newest lead, deleted or not; zero: it has none.
func (db *DB) NewestLead(ctx context.Context, workspace id.UUID) (newest id.UUID, err error) {
	const q = `select id from leads where workspace_id = $1 order by id desc limit 1`
	newest, _, err = conn.Find(ctx, db, "find the newest lead", conn.Value[id.UUID], q, workspace)
	return newest, err
}

// leadSearch is a page in the making.
type leadSearch struct {
	db        *DB
	workspace id.UUID
	q         LeadQuery
	found     []lead.Lead
	places    []LeadKey // of found
	at        LeadKey   // of the last row that was read
	ended     bool      // there is nothing after it
	rows      int       // scanned
	bytes     int
	held      int // bytes of found
}

func (p *leadSearch) full() bool       { return len(p.found) > p.q.Limit || p.held >= PageBytes }
func (p *leadSearch) overBudget() bool { return p.bytes >= scanBudgetBytes }

// fill scans in the order of the list first, as long as that promises to fill the page, then uses an index, then goes
// on to scan.
func (p *leadSearch) fill(ctx context.Context) error {
	budget := scanBudget(p.q.Scan)
	state := p.q.State
	if state == nil {
		state = &ListState{}
	}
	if state.noIndex {
		return p.scan(ctx, budget)
	}
	if p.q.AddressKey == "" { // else a scan is a waste
		for _, rows := range []int{firstScan, scanRows, budget} {
			if err := p.scan(ctx, min(rows, budget)); err != nil || p.full() || p.ended || p.overBudget() {
				return err
			}
			if len(p.found) == 0 || p.rows/len(p.found)*(p.q.Limit+1) > budget/2 {
				break
			}
		}
	}
	places, ok, err := p.candidates(ctx, budget)
	if err != nil {
		return err
	}
	if ok {
		return p.readPlaces(ctx, places)
	}
	state.noIndex = true
	return p.scan(ctx, budget)
}

// scan goes on in the order of the list until so many rows were read in all, the page is full, or there are no more.
func (p *leadSearch) scan(ctx context.Context, rows int) error {
	for !p.full() && !p.ended && !p.overBudget() && p.rows < rows {
		n := min(rows-p.rows, p.step())
		last := 0
		query, args := p.scanQuery(n)
		err := p.read(ctx, query, args, func(place LeadKey, nth int) LeadKey {
			p.at, last = place, nth
			return place
		})
		if err != nil {
			return err
		}
		p.rows += n
		p.ended = last < n && !p.full() && !p.overBudget()
	}
	return nil
}

// step is how many rows are read at a time.
func (p *leadSearch) step() int {
	switch {
	case p.rows == 0 && !p.selective():
		return min(p.q.Limit+1, firstScan)
	case p.rows == 0:
		return firstScan
	}
	return max(50, min(scanRows, scanBytes/(p.bytes/p.rows+1)))
}

// selective reports whether not every lead that is read can be expected to be one for the page.
func (p *leadSearch) selective() bool {
	return p.q.Deleted || len(p.q.Terms(p.workspace)) > 0 || p.q.Sort.Updated && p.hasCreated() || !p.q.Sort.Updated &&
		p.hasUpdated()
}

func (p *leadSearch) hasCreated() bool {
	return !p.q.CreatedFrom.IsZero() || !p.q.CreatedUntil.IsZero()
}
func (p *leadSearch) hasUpdated() bool {
	return !p.q.UpdatedFrom.IsZero() || !p.q.UpdatedUntil.IsZero()
}

// The statements that scan a list. They return each row that fits and, to show how far the scan went, the last row
// whether it fits or not. Beyond those of leadFilter: $14 rows, $15 id of the row before, $16 and $17 the first and
// last id that can fit, and in the lists by change $18 when the row before was updated.
var (
	byNewest = scanOf(`id desc`, `
            select * from leads
             where workspace_id = $1 and id < $15 and id between $16 and $17
             order by id desc limit $14`)
	byOldest = scanOf(`id`, `
            select * from leads
             where workspace_id = $1 and id > $15 and id between $16 and $17
             order by id limit $14`)
	deletedByNewest = scanOf(`id desc`, `
            select * from leads
             where workspace_id = $1 and id < $15 and id between $16 and $17 and deleted_at is not null
             order by id desc limit $14`)
	deletedByOldest = scanOf(`id`, `
            select * from leads
             where workspace_id = $1 and id > $15 and id between $16 and $17 and deleted_at is not null
             order by id limit $14`)
	byLastUpdated = scanOf(`updated_at desc, id desc`, `
            select * from leads
             where workspace_id = $1 and (updated_at, id) < ($18, $15) and updated_at >= $9 and updated_at < $10
               and id between $16 and $17
             order by updated_at desc, id desc limit $14`)
	byFirstUpdated = scanOf(`updated_at, id`, `
            select * from leads
             where workspace_id = $1 and (updated_at, id) > ($18, $15) and updated_at >= $9 and updated_at < $10
               and id between $16 and $17
             order by updated_at, id limit $14`)
)

func scanOf(order, rows string) string {
	return `
select ` + leadColumns + `, null, l.nth, ` + leadFilter + ` as fits
  from (select l.*, row_number() over (order by ` + order + `) as nth
          from (` + rows + `) l) l
 where l.nth = $14 or ` + leadFilter + `
 order by l.nth`
}

// scanQuery reads the next n rows in the order of the list.
func (p *leadSearch) scanQuery(n int) (query string, args []any) {
	after := p.from()
	first, last := p.ids()
	args = append(p.filter(), n, after.ID, first, last)
	switch s := p.q.Sort; {
	case s.Updated && s.Ascending:
		return byFirstUpdated, append(args, after.UpdatedAt)
	case s.Updated:
		return byLastUpdated, append(args, after.UpdatedAt)
	case p.q.Deleted && s.Ascending:
		return deletedByOldest, args
	case p.q.Deleted:
		return deletedByNewest, args
	case s.Ascending:
		return byOldest, args
	}
	return byNewest, args
}

// from is after which place to read; where there is none yet, it is before all.
func (p *leadSearch) from() LeadKey {
	switch {
	case p.at != LeadKey{}:
		return p.at
	case p.q.Sort.Ascending:
		return LeadKey{UpdatedAt: minTime}
	}
	return LeadKey{UpdatedAt: maxTime, ID: uuid.Max}
}

// read keeps what fits of a statement's rows, as far as the page needs it. It asks where each row is before that.
func (p *leadSearch) read(ctx context.Context, query string, args []any, where func(place LeadKey,
	nth int) LeadKey) error {
	rows, err := p.db.QueryContext(ctx, query, args...)
	if err != nil {
		return conn.Fail(ctx, "list leads", err)
	}
	defer rows.Close()
	for !p.full() && !p.overBudget() && rows.Next() {
		var l lead.Lead
		var nth int
		var fits bool
		if err := rows.Scan(append(leadTargets(&l), &nth, &fits)...); err != nil {
			return conn.Fail(ctx, "list leads", err)
		}
		place := where(LeadKey{l.UpdatedAt, l.ID}, nth)
		size := len(l.Metadata) + 200
		p.bytes += size
		if fits && p.q.Fits(&l) {
			p.held += size
			p.found, p.places = append(p.found, l), append(p.places, place)
		}
	}
	return conn.Fail(ctx, "list leads", rows.Err())
}

// addFacts adds what enrichment found out.
func (db *DB) addFacts(ctx context.Context, workspace id.UUID, leads []lead.Lead) error {
	const q = `
select o.nth, e.facts
  from unnest($2::uuid[]) with ordinality o (id, nth)
 cross join lateral (
    select facts from enrichments where workspace_id = $1 and lead_id between o.id and o.id order by lead_id limit 1) e`
	if len(leads) == 0 {
		return nil
	}
	ids := newColumn(uuids, len(leads))
	for i := range leads {
		ids.uuid(leads[i].ID)
	}
	return conn.Each(ctx, db, "read facts", func(row conn.Row) error {
		var nth int
		var facts []byte
		err := row.Scan(&nth, &facts)
		if err == nil {
			leads[nth-1].Enrichment = facts
		}
		return err
	}, q, workspace, ids.done())
}
