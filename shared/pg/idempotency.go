package pg

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// Claim is a request that comes with an Idempotency-Key.
type Claim struct {
	Workspace id.UUID
	Key       [32]byte // SHA-256 of the key
	Request   [32]byte // SHA-256 of all that makes it this request
	ID        id.UUID  // what the lead that it makes would be called, were it the first
}

// Claimed is where a claim stands.
type Claimed struct {
	ID      id.UUID // of the first request with the key: what it makes is called so
	TakenAt time.Time
	Mine    bool // whoever claims is to do it, and then to Settle

	Other  bool // the key came with another request before
	Stale  bool // it is not settled, and nobody has worked on it for long: TakeOver
	Status int  // of the answer; 0: it is being worked on
	Header []byte
	Body   []byte // nil with a Status: erased with its lead
}

// claimLife is how long a claim is left to who has it; no request takes so long.
const claimLife = `interval '30 seconds'`

// ClaimAll claims keys, each for the first request that comes with it. There is one Claimed for each, in order. A key whose answer was kept for
// KeyLife is free, whether it was deleted already or not.
func (db *DB) ClaimAll(ctx context.Context, claims []Claim) ([]Claimed, error) {
	const q = `
insert into idempotency (workspace_id, key_hash, request_hash, id, taken_at, created_at)
select workspace_id, key_hash, request_hash, id, now(), now() from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::uuid[]) as i (workspace_id, key_hash, request_hash, id)
 order by workspace_id, key_hash
on conflict (workspace_id, key_hash) do nothing
returning id, taken_at`
	stmt, err := db.prepared(ctx, q)
	if err != nil {
		return nil, fail(ctx, "prepare claim keys", err)
	}
	n := len(claims)
	workspaces, keys, requests, ids := newColumn(n, 36), newColumn(n, 70), newColumn(n, 70), newColumn(n, 36)
	for i := range claims {
		workspaces.uuid(claims[i].Workspace)
		keys.hex(claims[i].Key[:])
		requests.hex(claims[i].Request[:])
		ids.uuid(claims[i].ID)
	}
	rows, err := stmt.QueryContext(ctx, workspaces.done(), keys.done(), requests.done(), ids.done())
	if err != nil {
		return nil, fail(ctx, "claim keys", err)
	}
	defer rows.Close()
	mine := make(map[id.UUID]time.Time, n)
	for rows.Next() {
		var row id.UUID
		var at time.Time
		if err := rows.Scan(&row, &at); err != nil {
			return nil, fail(ctx, "claim keys", err)
		}
		mine[row] = at
	}
	if err := rows.Err(); err != nil {
		return nil, fail(ctx, "claim keys", err)
	}
	out := make([]Claimed, n)
	var others []int
	for i := range claims {
		at, ok := mine[claims[i].ID]
		out[i] = Claimed{ID: claims[i].ID, TakenAt: at, Mine: ok}
		if !ok {
			others = append(others, i)
		}
	}
	if len(others) == 0 {
		return out, nil
	}
	old, err := db.readClaims(ctx, claims, others, out)
	if err == nil && len(old) > 0 {
		err = db.reclaim(ctx, claims, old, out)
	}
	return out, err
}

// reclaim makes old claims, at the places given, anew. Where another request is faster, it is being worked on.
func (db *DB) reclaim(ctx context.Context, claims []Claim, old []int, out []Claimed) error {
	const q = `
update idempotency set request_hash = $3, id = $4, taken_at = now(), created_at = now(), status = null, headers = null, body = null, leads = null
 where workspace_id = $1 and key_hash = $2 and created_at < now() - cast($5 as interval)
returning taken_at`
	for _, i := range old {
		c := &claims[i]
		out[i] = Claimed{ID: c.ID}
		err := db.QueryRowContext(ctx, q, c.Workspace, c.Key[:], c.Request[:], c.ID, interval(KeyLife)).Scan(&out[i].TakenAt)
		if out[i].Mine = err == nil; err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fail(ctx, "claim an old key", err)
		}
	}
	return nil
}

// readClaims looks up, in a snapshot newer than the insert's, where the claims stand that came before those at others. It returns those of
// others whose claims are older than KeyLife.
func (db *DB) readClaims(ctx context.Context, claims []Claim, others []int, out []Claimed) (old []int, err error) {
	const q = `
select d.workspace_id, d.key_hash, d.request_hash, d.id, d.taken_at, d.status is null and d.taken_at < now() - ` + claimLife + `, coalesce(d.status, 0), d.headers, d.body,
       d.created_at < now() - cast($3 as interval)
  from idempotency d join (select distinct workspace_id, key_hash from unnest($1::uuid[], $2::bytea[]) as u (workspace_id, key_hash)) i using (workspace_id, key_hash)`
	type who struct {
		workspace id.UUID
		key       [32]byte
	}
	workspaces, keys := newColumn(len(others), 36), newColumn(len(others), 70)
	for _, i := range others {
		workspaces.uuid(claims[i].Workspace)
		keys.hex(claims[i].Key[:])
	}
	rows, err := db.QueryContext(ctx, q, workspaces.done(), keys.done(), interval(KeyLife))
	if err != nil {
		return nil, fail(ctx, "read claims", err)
	}
	defer rows.Close()
	type found struct {
		Claimed
		request []byte
		old     bool
	}
	all := map[who]found{}
	for rows.Next() {
		var w who
		var key []byte
		var f found
		if err := rows.Scan(&w.workspace, &key, &f.request, &f.ID, &f.TakenAt, &f.Stale, &f.Status, &f.Header, &f.Body, &f.old); err != nil {
			return nil, fail(ctx, "read claims", err)
		}
		copy(w.key[:], key)
		all[w] = f
	}
	if err := rows.Err(); err != nil {
		return nil, fail(ctx, "read claims", err)
	}
	for _, i := range others {
		c := &claims[i]
		f, ok := all[who{c.Workspace, c.Key}]
		if !ok { // deleted between the two statements, a day old: being worked on, as far as anybody can tell
			continue
		}
		if f.old {
			old = append(old, i)
		}
		out[i] = f.Claimed
		out[i].Other = string(f.request) != string(c.Request[:])
	}
	return old, nil
}

// TakeOver has a stale claim change hands; false: somebody else was faster, or it was settled after all.
func (db *DB) TakeOver(ctx context.Context, c Claim, stale Claimed) (at time.Time, ok bool, err error) {
	const q = `update idempotency set taken_at = now() where workspace_id = $1 and key_hash = $2 and id = $3 and taken_at = $4 and status is null returning taken_at`
	err = db.QueryRowContext(ctx, q, c.Workspace, c.Key[:], stale.ID, stale.TakenAt).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	}
	return at, err == nil, fail(ctx, "take over a claim", err)
}

// Settlement is how a claimed request ended.
type Settlement struct {
	Workspace id.UUID
	Key       [32]byte
	ID        id.UUID
	TakenAt   time.Time
	Status    int // 0: without an answer that is worth keeping; whoever comes next does it again, under the same id
	Header    []byte
	Body      []byte
	Leads     []id.UUID // others than ID of which something is in the answer: it is erased with any of them
}

// SettleAll keeps answers, one for each key: the first. One that names a lead that is gone is kept as one that was erased: nobody would erase it
// later. kept tells for each settlement, in order, whether it was that; of one without a Status,
// whether the claim was given back.
func (db *DB) SettleAll(ctx context.Context, all []Settlement) (kept []bool, err error) {
	const q = `
update idempotency d set status = i.status, headers = case when i.whole then i.headers end, body = case when i.whole then i.body end, leads = i.leads::uuid[], taken_at = case when i.status is null then 'epoch' else d.taken_at end
  from (select *, not exists (
            select from unnest(u.leads::uuid[]) n (id)
             where not exists (select from leads l where l.workspace_id = u.workspace_id and l.id = n.id)) as whole
          from unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::timestamptz[], $5::integer[], $6::json[], $7::bytea[], $8::text[])
            as u (workspace_id, key_hash, id, taken_at, status, headers, body, leads) offset 0) i
 where d.workspace_id = i.workspace_id and d.key_hash = i.key_hash and d.id = i.id and d.status is null and (i.status is not null or d.taken_at = i.taken_at)
returning d.id`
	stmt, err := db.prepared(ctx, q)
	if err != nil {
		return nil, fail(ctx, "prepare settle keys", err)
	}
	n := len(all)
	c := [8]*column{}
	for i, width := range [8]int{36, 70, 36, 28, 4, 96, 1024, 4} {
		c[i] = newColumn(n, width)
	}
	first := make(map[id.UUID]int, n)
	for i := range all {
		s := &all[i]
		if _, again := first[s.ID]; again {
			continue
		}
		first[s.ID] = i
		c[0].uuid(s.Workspace)
		c[1].hex(s.Key[:])
		c[2].uuid(s.ID)
		c[3].time(s.TakenAt)
		if s.Status == 0 {
			c[4].null()
			c[5].null()
			c[6].null()
			c[7].null()
			continue
		}
		c[4].int(int64(s.Status))
		c[5].bytes(s.Header)
		c[6].hex(s.Body)
		if len(s.Leads) == 0 {
			c[7].null()
			continue
		}
		leads := newColumn(len(s.Leads), 36)
		for _, l := range s.Leads {
			leads.uuid(l)
		}
		c[7].string(leads.done())
	}
	args := make([]any, len(c))
	for i := range c {
		args[i] = c[i].done()
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, fail(ctx, "settle keys", err)
	}
	defer rows.Close()
	kept = make([]bool, n)
	for rows.Next() {
		var row id.UUID
		if err := rows.Scan(&row); err != nil {
			return nil, fail(ctx, "settle keys", err)
		}
		kept[first[row]] = true
	}
	return kept, fail(ctx, "settle keys", rows.Err())
}

// ReadClaim returns where a claim stands, without claiming.
func (db *DB) ReadClaim(ctx context.Context, c Claim) (Claimed, error) {
	out := make([]Claimed, 1)
	_, err := db.readClaims(ctx, []Claim{c}, []int{0}, out)
	if err == nil && out[0].ID == (id.UUID{}) {
		err = fault.StoreUnavailable(errors.New("the claim is gone"), time.Second)
	}
	return out[0], err
}

// hex writes octets as a bytea.
func (c *column) hex(b []byte) {
	c.next()
	c.text = append(c.text, `"\\x`...)
	c.text = hex.AppendEncode(c.text, b)
	c.text = append(c.text, '"')
}
