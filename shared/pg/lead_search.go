package pg

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// source is a way to find all leads that a query can fit, by an index. Its statement gives at most as many as $2 of
// each kind.
type source struct {
	query string
	args  []any
	whole int // kinds that must not be cut off at $2, as bits
}

// Every hit is one of the workspace: its words have its tag. The query comes from a subquery, so that the planner
// cannot know how common the words are: it takes the index, and never expects to find them on its way through the whole
// table.
//
// Words of before lead.WordsVersion tell nothing about a query that needs it: then their leads are candidates too.
var byWords = byIndex + byPending + `
union all
(select 2, lead_id from enrichments where workspace_id = $1 and words is null and due_at is null order by lead_id limit $2)`

var byNewWords = byIndex + byPending + `
union all
(select 2, lead_id from enrichments where workspace_id = $1 and ` + oldWords + ` order by lead_id limit $2)`

// oldWords are those of an enrichment that are to be made anew, as the index enrichments_reindex has it.
const oldWords = `due_at is null and (words is null or not words @@ '` + lead.WordsVersion + `'::tsquery)`

var byIndex = `
select 1 as kind, h.lead_id
  from (select cast($3 as tsquery) as words offset 0) s
 cross join lateral (
    select e.workspace_id, e.lead_id from enrichments e where ` + conn.Either("", "e.workspace_id = $1 and ") + `e.words is not null and e.words @@ s.words limit $2) h
 where h.workspace_id = $1`

const byPending = `
union all
(select 2, lead_id from enrichments where workspace_id = $1 and due_at is not null order by due_at limit $2)
union all
(select 2, l.id
   from (select leads from enrichment_queue cross join ` + dearToSort + ` where workspace_id = $1 order by workspace_id, due_at, id limit $2) q
  cross join lateral unnest(q.leads) l (id)
  limit $2)`

const byKeys = `
union all
(select 4, l.id
   from unnest($4::text[]) k (email_key)
  cross join lateral (
    select id from leads
     where workspace_id = (select $1::uuid) and email_key between k.email_key and k.email_key
     order by email_key limit 1) l
  limit $2)`

const (
	byDeleted = `
select 1 as kind, id as lead_id from leads where workspace_id = $1 and deleted_at is not null order by id desc limit $2`
	byUpdated = `
select 1 as kind, id as lead_id from leads
 where workspace_id = $1 and updated_at >= $3 and updated_at < $4
 order by updated_at
 limit $2`
	byCreated = `
select 1 as kind, id as lead_id from leads where workspace_id = $1 and id between $3 and $4 order by id limit $2`
)

// sources are the ways to find p's leads, the best first.
func (p *leadSearch) sources(ctx context.Context) (all []source, err error) {
	if p.q.Deleted { // their words are as old as they were when they were deleted
		return []source{{query: byDeleted, whole: 1}}, nil
	}
	indexed := source{byWords, []any{tsquery(p.q.Terms(p.workspace))}, 3}
	if p.q.NeedsVersion() {
		indexed.query = byNewWords
	}
	switch {
	case p.q.AddressKey != "":
		s, err := p.byAddress(ctx, indexed)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	case indexed.args[0] != "":
		all = append(all, indexed)
	}
	if p.hasUpdated() && !p.q.Sort.Updated {
		from, until := timeRange(p.q.UpdatedFrom, p.q.UpdatedUntil)
		all = append(all, source{byUpdated, []any{from, until}, 1})
	}
	if p.hasCreated() && p.q.Sort.Updated {
		first, last := p.ids()
		all = append(all, source{byCreated, []any{first, last}, 1})
	}
	return all, nil
}

// maxKeys is how many chatbots an email is asked for by key.
const maxKeys = 1000

// byAddress finds an email as indexed does, and by its unique keys also while the words of more leads are pending than
// can be read.
func (p *leadSearch) byAddress(ctx context.Context, indexed source) (source, error) {
	bots, err := p.db.ListChatbots(ctx, p.workspace, id.UUID{}, maxKeys)
	if err != nil {
		return source{}, err
	}
	keys := []string{p.q.AddressKey, p.q.AddressKey + " " + id.Chatbot.Format(id.UUID{})}
	for _, b := range bots {
		keys = append(keys, p.q.AddressKey+" "+id.Chatbot.Format(b.ID))
	}
	s := source{indexed.query + byKeys, append(indexed.args, pqStrings(&keys)), 1}
	if p.q.DuplicatesAllowed || len(bots) == maxKeys {
		s.whole = 3 // there are keys that nobody can guess
	}
	return s, nil
}

// tsquery is what the index is asked, "" for nothing. Lexemes are letters, digits and their marks, "-" and "_", but who
// relies on it?
func tsquery(terms []lead.Term) string {
	var b strings.Builder
	for i, t := range terms {
		if i > 0 {
			b.WriteString(" & ")
		}
		b.WriteByte('(')
		for j, lexeme := range t.Any {
			if j > 0 {
				b.WriteString(" | ")
			}
			b.WriteString("'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(lexeme) + "'")
			if t.Prefix {
				b.WriteString(":*")
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

// candidates returns the places after p.at of all leads that can fit, in the order of the list; ok is false when no
// index can tell.
func (p *leadSearch) candidates(ctx context.Context, limit int) (places []LeadKey, ok bool, err error) {
	all, err := p.sources(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, s := range all {
		if places, ok, err = p.lookUp(ctx, s, limit); ok || err != nil {
			return places, ok, err
		}
	}
	return nil, false, nil
}

// lookUp is candidates for one source.
func (p *leadSearch) lookUp(ctx context.Context, s source, limit int) (places []LeadKey, ok bool, err error) {
	args := append([]any{p.workspace, limit + 1}, s.args...)
	counts, all := [8]int{}, []LeadKey(nil)
	if p.q.Sort.Updated {
		all, err = p.hitsWithTimes(ctx, s, args, &counts)
	} else {
		all, err = p.hits(ctx, s, args, &counts)
	}
	if err != nil {
		return nil, false, err
	}
	for kind, n := range counts {
		if n > limit && s.whole&kind != 0 {
			return nil, false, nil
		}
	}
	after := p.from()
	first, last := p.ids()
	places = slices.DeleteFunc(all, func(k LeadKey) bool {
		return p.compare(after, k) >= 0 || slices.Compare(k.ID[:], first[:]) < 0 || slices.Compare(k.ID[:], last[:]) > 0
	})
	slices.SortFunc(places, p.compare)
	return slices.CompactFunc(places, func(x, y LeadKey) bool { return x.ID == y.ID }), true, nil
}

// hits returns what a source finds, and how many are of each kind. The ids come as one value of each kind: thousands of
// rows would take longer to read than to find.
func (p *leadSearch) hits(ctx context.Context, s source, args []any, counts *[8]int) (all []LeadKey, err error) {
	query := `
select string_agg(uuid_send(lead_id), '') filter (where kind = 1),
       string_agg(uuid_send(lead_id), '') filter (where kind = 2),
       string_agg(uuid_send(lead_id), '') filter (where kind = 4)
  from (` + s.query + `) c`
	var kinds [3][]byte
	err = conn.Each(ctx, p.db, "find leads", func(row conn.Row) error {
		return row.Scan(&kinds[0], &kinds[1], &kinds[2])
	}, query, args...)
	for i, ids := range kinds {
		counts[1<<i] = len(ids) / len(id.UUID{})
		for one := range slices.Chunk(ids, len(id.UUID{})) {
			all = append(all, LeadKey{ID: id.UUID(one), UpdatedAt: time.Unix(0, 0)})
		}
	}
	return all, err
}

// hitsWithTimes is hits for a list in the order of the last change.
func (p *leadSearch) hitsWithTimes(ctx context.Context, s source, args []any, counts *[8]int) (all []LeadKey, err error) {
	query := `
select c.kind, c.lead_id, l.updated_at
  from (` + s.query + `) c
 cross join lateral (
    select updated_at from leads where workspace_id = $1 and id between c.lead_id and c.lead_id order by id limit 1) l`
	err = conn.Each(ctx, p.db, "find leads", func(row conn.Row) error {
		var kind int
		var place LeadKey
		err := row.Scan(&kind, &place.ID, &place.UpdatedAt)
		counts[kind]++
		all = append(all, place)
		return err
	}, query, args...)
	return all, err
}

// compare is the order of the list.
func (p *leadSearch) compare(x, y LeadKey) int {
	c := slices.Compare(x.ID[:], y.ID[:])
	if p.q.Sort.Updated {
		if t := x.UpdatedAt.Compare(y.UpdatedAt); t != 0 {
			c = t
		}
	}
	if !p.q.Sort.Ascending {
		c = -c
	}
	return c
}

// readPlaces reads the leads at places, which are in order, and keeps those that fit.
func (p *leadSearch) readPlaces(ctx context.Context, places []LeadKey) error {
	// Beyond those of leadFilter: $14 the ids.
	const query = `
select ` + leadColumns + `, null, c.nth, true
  from unnest($14::uuid[]) with ordinality c (id, nth)
 cross join lateral (select * from leads where workspace_id = $1 and id between c.id and c.id order by id limit 1) l
 where ` + leadFilter + `
 order by c.nth`
	read := 0
	for !p.full() && !p.overBudget() && len(places) > 0 {
		n := p.q.Limit + 1
		if read > 0 {
			n = max(50, min(scanRows, scanBytes/(p.bytes/read+1)))
		}
		n = min(n, len(places))
		ids := newColumn(uuids, n)
		for _, place := range places[:n] {
			ids.uuid(place.ID)
		}
		// A lead that was changed since keeps the place it had: the next page goes on from there.
		err := p.read(ctx, query, append(p.filter(), ids.done()), func(_ LeadKey, nth int) LeadKey {
			p.at = places[nth-1]
			return p.at
		})
		if err != nil || p.overBudget() || p.full() {
			return err
		}
		p.at = places[n-1]
		places, read = places[n:], read+n
	}
	p.ended = len(places) == 0
	return nil
}

// The times between which everything happens.
var (
	minTime = time.Unix(0, 0).UTC()
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// timeRange has minTime and maxTime for a time that is not given.
func timeRange(from, until time.Time) (time.Time, time.Time) {
	if from.IsZero() {
		from = minTime
	}
	if until.IsZero() {
		until = maxTime
	}
	return from.UTC(), until.UTC()
}

// idTolerance is how far a lead's id can be from when it was created: once both were read from a clock, one after the
// other.
const idTolerance = 100 * time.Millisecond

// ids are the first and the last id that leads of the query can have.
func (p *leadSearch) ids() (first, last id.UUID) {
	last = uuid.Max
	if !p.q.CreatedFrom.IsZero() {
		first = uuidFloor(p.q.CreatedFrom.Add(-idTolerance))
	}
	if !p.q.CreatedUntil.IsZero() {
		last = uuidFloor(p.q.CreatedUntil.Add(idTolerance))
	}
	if p.q.Last != (id.UUID{}) && slices.Compare(p.q.Last[:], last[:]) < 0 {
		last = p.q.Last
	}
	return first, last
}
