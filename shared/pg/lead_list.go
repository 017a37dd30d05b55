package pg

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"leadgate/shared/id"
	"leadgate/shared/lead"
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

// LeadQuery asks for one page of a workspace's leads.
type LeadQuery struct {
	lead.Query
	Deleted                   bool      // only deleted ones, or else only others
	CreatedFrom, CreatedUntil time.Time // created at or after, and before; zero: whenever
	UpdatedFrom, UpdatedUntil time.Time
	Last                      id.UUID // nothing newer than this lead; zero: whatever there is
	Alike                     bool    // the workspace lets an email come any number of times
	Sort                      LeadSort
	After                     LeadKey // the end of the page before
	Limit                     int     // leads on the page
	Scan                      int     // rows looked at for it, and found in an index for it, at most; 0: PageScan
	Facts                     bool    // with what enrichment found out
	Walk                      *Walk   // what pages of the same list share; nil: this one is read alone
}

// Walk is what one page of a list finds out and the next ones need not. Its zero value is for the first one.
type Walk struct {
	blind bool // no index can tell which leads fit: there are too many that can, wherever in the list they are
}

// How much a page looks at before it asks an index, and how much of it at a time.
const (
	glance    = 2000     // rows
	firstLook = 250      // rows of the first statement, which shows how large they are
	lookBytes = 4 << 20  // of one statement, about
	pageBytes = 16 << 20 // of all; a page that has seen so much ends
)

// FindLeads returns a page of a workspace's leads and, unless it is the last one, the place that ends it. It looks at a bounded number of rows
// in the order of the list and, where they are not enough and the query is one for an index, at what that has. Only a query that
// too many leads nearly fit gets a page that is short, or even empty, and yet not the last.
func (db *DB) FindLeads(ctx context.Context, workspace id.UUID, q LeadQuery) (found []lead.Lead, next LeadKey, err error) {
	p := &leadSearch{db: db, workspace: workspace, q: q, at: q.After}
	if err := p.fill(ctx); err != nil {
		return nil, next, err
	}
	found = p.found
	switch {
	case len(found) > q.Limit: // one more than asked for tells that there is another page
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
	if err = db.QueryRowContext(ctx, q, workspace).Scan(&newest); errors.Is(err, sql.ErrNoRows) {
		return newest, nil
	}
	return newest, fail(ctx, "find the newest lead", err)
}

// leadSearch is a page in the making.
type leadSearch struct {
	db        *DB
	workspace id.UUID
	q         LeadQuery
	found     []lead.Lead
	places    []LeadKey // of found
	at        LeadKey   // what was looked at last
	ended     bool      // there is nothing after it
	rows      int       // looked at
	bytes     int
}

func (p *leadSearch) full() bool  { return len(p.found) > p.q.Limit }
func (p *leadSearch) spent() bool { return p.bytes >= pageBytes }

// fill looks in the order of the list first, as long as that promises to fill the page, then by an index, then further in the order of the list.
func (p *leadSearch) fill(ctx context.Context) error {
	all := scanBudget(p.q.Scan)
	walk := p.q.Walk
	if walk == nil {
		walk = &Walk{}
	}
	if walk.blind {
		return p.look(ctx, all)
	}
	if p.q.AddressKey == "" { // else a look at rows is a waste
		for _, rows := range []int{firstLook, glance, all} {
			if err := p.look(ctx, min(rows, all)); err != nil || p.full() || p.ended || p.spent() {
				return err
			}
			if len(p.found) == 0 || p.rows/len(p.found)*(p.q.Limit+1) > all/2 {
				break
			}
		}
	}
	places, ok, err := p.candidates(ctx, all)
	if err != nil {
		return err
	}
	if ok {
		return p.pick(ctx, places)
	}
	walk.blind = true
	return p.look(ctx, all)
}

// look goes on in the order of the list until rows were looked at in all, the page is full, or there are no more.
func (p *leadSearch) look(ctx context.Context, rows int) error {
	for !p.full() && !p.ended && !p.spent() && p.rows < rows {
		n := min(rows-p.rows, p.step())
		seen := 0
		query, args := p.lookQuery(n)
		err := p.read(ctx, query, args, func(place LeadKey, nth int) LeadKey {
			p.at, seen = place, nth
			return place
		})
		if err != nil {
			return err
		}
		p.rows += n
		p.ended = seen < n && !p.full() && !p.spent()
	}
	return nil
}

// step is how many rows are read at a time.
func (p *leadSearch) step() int {
	switch {
	case p.rows == 0 && !p.picky():
		return min(p.q.Limit+1, firstLook)
	case p.rows == 0:
		return firstLook
	}
	return max(50, min(glance, lookBytes/(p.bytes/p.rows+1)))
}

// picky tells whether not every lead that is looked at can be expected to be one for the page.
func (p *leadSearch) picky() bool {
	return p.q.Deleted || len(p.q.Terms(p.workspace)) > 0 || p.q.Sort.Updated && p.hasCreated() || !p.q.Sort.Updated && p.hasUpdated()
}

func (p *leadSearch) hasCreated() bool {
	return !p.q.CreatedFrom.IsZero() || !p.q.CreatedUntil.IsZero()
}
func (p *leadSearch) hasUpdated() bool {
	return !p.q.UpdatedFrom.IsZero() || !p.q.UpdatedUntil.IsZero()
}

const leadFields = `l.workspace_id, l.id, coalesce(l.chatbot_id, '00000000-0000-0000-0000-000000000000'), coalesce(l.name, ''), l.email, l.email_key, coalesce(l.phone, ''),
       l.source, l.status, l.metadata, l.created_at, l.updated_at, null, l.deleted_at`

// leadFilter is what a row alone tells in SQL; the rest of lead.Query needs lead.Fits. Its parameters are the first twelve.
// Of a value in metadata and of a search word it only tells where they cannot be: nowhere in the text, and nothing there is written as an escape.
const leadFilter = `(l.deleted_at is not null) = $2 and (cast($3 as uuid) is null or l.chatbot_id is not distinct from $3) and ($4 = '' or l.status = $4) and ($5 = '' or l.source = $5)
       and ($6 = '' or split_part(l.email_key, ' ', 1) = $6)
       and l.created_at >= $7 and l.created_at < $8 and l.updated_at >= $9 and l.updated_at < $10
       and ($11 = '' or strpos(cast(l.metadata as text), $11) > 0 or strpos(cast(l.metadata as text), '\') > 0)
       and ($12 = '' or strpos(lower(concat_ws(' ', l.name, l.email, l.metadata)), $12) > 0 or octet_length(concat_ws(' ', l.name, l.email, l.metadata)) > char_length(concat_ws(' ', l.name, l.email, l.metadata))
            or strpos(cast(l.metadata as text), '\') > 0)`

func (p *leadSearch) filter() []any {
	created, updated := between(p.q.CreatedFrom, p.q.CreatedUntil), between(p.q.UpdatedFrom, p.q.UpdatedUntil)
	return []any{p.workspace, p.q.Deleted, optionalID(p.q.ChatbotID), p.q.Status, p.q.Source, p.q.AddressKey, created[0], created[1], updated[0], updated[1], p.value(), p.word()}
}

// value is what must be in the metadata of a lead that fits, unless it has escapes; "": anything.
func (p *leadSearch) value() string {
	if len(p.q.Metadata) == 0 {
		return ""
	}
	return p.q.Metadata[0].Value
}

// word is what must be in the name, the email or the metadata of a lead that fits, unless they have escapes or letters beyond ASCII; "": anything.
func (p *leadSearch) word() string {
	for _, w := range p.q.Text {
		if strings.IndexFunc(w, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
			return w
		}
	}
	return ""
}

var (
	dawn = time.Unix(0, 0).UTC()
	dusk = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

func between(from, until time.Time) [2]time.Time {
	if from.IsZero() {
		from = dawn
	}
	if until.IsZero() {
		until = dusk
	}
	return [2]time.Time{from.UTC(), until.UTC()}
}

// slackOfIDs is how far a lead's id can be from when it was created: once both were read from a clock, one after the other.
const slackOfIDs = 100 * time.Millisecond

// ids are the first and the last id that leads of the query can have.
func (p *leadSearch) ids() (first, last id.UUID) {
	last = uuid.Max
	if !p.q.CreatedFrom.IsZero() {
		first = floorID(p.q.CreatedFrom.Add(-slackOfIDs))
	}
	if !p.q.CreatedUntil.IsZero() {
		last = floorID(p.q.CreatedUntil.Add(slackOfIDs))
	}
	if p.q.Last != (id.UUID{}) && slices.Compare(p.q.Last[:], last[:]) < 0 {
		last = p.q.Last
	}
	return first, last
}

// floorID is the smallest UUIDv7 of a moment, as uuid_floor has it.
func floorID(at time.Time) (u id.UUID) {
	ms := max(0, at.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	return u
}

// lookQuery reads the next n rows in the order of the list. Those that do not fit are not sent, but for the last one: it tells how far it went.
func (p *leadSearch) lookQuery(n int) (query string, args []any) {
	than, order := "<", " desc"
	if p.q.Sort.Ascending {
		than, order = ">", ""
	}
	after := p.from()
	first, last := p.ids()
	args = append(p.filter(), n, after.ID)
	rows, keys := "", ""
	if p.q.Sort.Updated {
		keys = "updated_at" + order + ", id" + order
		rows = `(updated_at, id) ` + than + ` ($15, $14) and updated_at >= $9 and updated_at < $10 and id between $16 and $17`
		args = append(args, after.UpdatedAt, first, last)
	} else {
		keys = "id" + order
		rows = `id ` + than + ` $14 and id between $15 and $16`
		args = append(args, first, last)
		if p.q.Deleted {
			rows += ` and deleted_at is not null` // a small index has them
		}
	}
	query = `
select l.nth, ` + leadFilter + ` as fits, ` + leadFields + `
  from (select l.*, row_number() over (order by ` + keys + `) as nth
          from (select * from leads where workspace_id = $1 and ` + rows + ` order by ` + keys + ` limit $13) l) l
 where l.nth = $13 or ` + leadFilter + `
 order by l.nth`
	return query, args
}

// from is after which place to look; where there is none yet, it is before all.
func (p *leadSearch) from() LeadKey {
	switch {
	case p.at != LeadKey{}:
		return p.at
	case p.q.Sort.Ascending:
		return LeadKey{UpdatedAt: dawn}
	}
	return LeadKey{UpdatedAt: dusk, ID: uuid.Max}
}

// read keeps what fits of a statement's rows, as far as the page needs it. It asks where each row is before that.
func (p *leadSearch) read(ctx context.Context, query string, args []any, where func(place LeadKey, nth int) LeadKey) error {
	rows, err := p.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fail(ctx, "list leads", err)
	}
	defer rows.Close()
	for !p.full() && !p.spent() && rows.Next() {
		var l lead.Lead
		var nth int
		var fits bool
		err := rows.Scan(&nth, &fits, &l.WorkspaceID, &l.ID, &l.ChatbotID, &l.Name, &l.Email, &l.UniqueKey, &l.Phone, &l.Source, &l.Status, &l.Metadata,
			&l.CreatedAt, &l.UpdatedAt, &l.Enrichment, &l.DeletedAt)
		if err != nil {
			return fail(ctx, "list leads", err)
		}
		place := where(LeadKey{l.UpdatedAt, l.ID}, nth)
		p.bytes += len(l.Metadata) + 200
		if fits && p.q.Fits(&l) {
			p.found, p.places = append(p.found, l), append(p.places, place)
		}
	}
	return fail(ctx, "list leads", rows.Err())
}

// addFacts adds what enrichment found out.
func (db *DB) addFacts(ctx context.Context, workspace id.UUID, leads []lead.Lead) error {
	const q = `
select o.nth, e.facts from unnest($2::uuid[]) with ordinality o (id, nth)
 cross join lateral (select facts from enrichments where workspace_id = $1 and lead_id = o.id order by workspace_id, lead_id limit 1) e`
	if len(leads) == 0 {
		return nil
	}
	ids := newColumn(len(leads), 36)
	for i := range leads {
		ids.uuid(leads[i].ID)
	}
	rows, err := db.QueryContext(ctx, q, workspace, ids.done())
	if err != nil {
		return fail(ctx, "read facts", err)
	}
	defer rows.Close()
	for rows.Next() {
		var nth int
		var facts []byte
		if err := rows.Scan(&nth, &facts); err != nil {
			return fail(ctx, "read facts", err)
		}
		leads[nth-1].Enrichment = facts
	}
	return fail(ctx, "read facts", rows.Err())
}
