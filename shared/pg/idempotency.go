package pg

import (
	"context"
	"errors"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// IdempotentRequest is a request that comes with an Idempotency-Key.
type IdempotentRequest struct {
	Workspace id.UUID
	Key       [32]byte // SHA-256 of the key
	Request   [32]byte // SHA-256 of everything that makes two requests the same
	Meaning   [32]byte // the same of what the request says, however it is written
	ID        id.UUID  // of what the request creates, if it is the first with its key
}

// IdempotencyEntry is the state of one Idempotency-Key.
type IdempotencyEntry struct {
	ID         id.UUID // of what the first request with the key creates
	AcquiredAt time.Time
	Acquired   bool // the caller processes the request, and calls CompleteIdempotent then

	Mismatch bool // the key came with another request before
	Expired  bool // it had no answer, and whoever acquired it is out of time: see ReclaimIdempotent
	Status   int  // of the answer; 0: the request is in progress
	Header   []byte
	Body     []byte // nil with a Status: erased with its lead
}

// KeyLife is how long the answer to a request with an Idempotency-Key is kept.
const KeyLife = 24 * time.Hour

// acquiredFor is how long a key belongs to whoever acquired it; no request takes so long.
const acquiredFor = `interval '30 seconds'`

// BeginIdempotent acquires keys, each for the first request that comes with it. It returns one entry for each request,
// in order. A key whose answer was kept for KeyLife is free, whether it was deleted already or not.
func (db *DB) BeginIdempotent(ctx context.Context, requests []IdempotentRequest) ([]IdempotencyEntry, error) {
	return splitBatch(ctx, db, requests, func(r *IdempotentRequest) id.UUID { return r.Workspace },
		func(part []IdempotentRequest) ([]IdempotencyEntry, error) { return db.beginIdempotent(ctx, part) })
}

func (db *DB) beginIdempotent(ctx context.Context, requests []IdempotentRequest) ([]IdempotencyEntry, error) {
	const q = `
insert into idempotency (workspace_id, key_hash, request_hash, meaning_hash, id, taken_at, created_at)
select workspace_id, key_hash, request_hash, meaning_hash, id, now(), now()
  from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::uuid[])
    as i (workspace_id, key_hash, request_hash, meaning_hash, id)
 order by workspace_id, key_hash
on conflict (workspace_id, key_hash) do nothing
returning id, taken_at`
	n := len(requests)
	workspaces, keys, ids := newColumn(uuids, n), newColumn(byteas, n), newColumn(uuids, n)
	hashes, meanings := newColumn(byteas, n), newColumn(byteas, n)
	for i := range requests {
		workspaces.uuid(requests[i].Workspace)
		keys.bytes(requests[i].Key[:])
		hashes.bytes(requests[i].Request[:])
		meanings.bytes(requests[i].Meaning[:])
		ids.uuid(requests[i].ID)
	}
	mine := make(map[id.UUID]time.Time, n)
	err := conn.Each(ctx, db.Prepared(), "begin idempotent", func(row conn.Row) error {
		var request id.UUID
		var at time.Time
		err := row.Scan(&request, &at)
		mine[request] = at
		return err
	}, q, workspaces.done(), keys.done(), hashes.done(), meanings.done(), ids.done())
	if err != nil {
		return nil, err
	}
	out := make([]IdempotencyEntry, n)
	var others []int
	for i := range requests {
		at, ok := mine[requests[i].ID]
		out[i] = IdempotencyEntry{ID: requests[i].ID, AcquiredAt: at, Acquired: ok}
		if !ok {
			others = append(others, i)
		}
	}
	if len(others) == 0 {
		return out, nil
	}
	old, err := db.readEntries(ctx, requests, others, out)
	if err == nil && len(old) > 0 {
		err = db.restartOutdated(ctx, requests, old, out)
	}
	return out, err
}

// restartOutdated acquires keys that are older than KeyLife, those of the requests at the places given, as if they were
// new. Where another request is faster, that one is in progress.
func (db *DB) restartOutdated(
	ctx context.Context, requests []IdempotentRequest, old []int, out []IdempotencyEntry,
) error {
	const q = `
update idempotency set request_hash = $3, meaning_hash = $6, id = $4, taken_at = now(), created_at = now(),
       status = null, headers = null, body = null, leads = null
 where workspace_id = $1 and key_hash = $2 and created_at < now() - cast($5 as interval)
returning taken_at`
	for _, i := range old {
		r := &requests[i]
		at, ok, err := conn.Find(ctx, db, "restart outdated key", conn.Value[time.Time], q,
			r.Workspace, r.Key[:], r.Request[:], r.ID, interval(KeyLife), r.Meaning[:])
		if err != nil {
			return err
		}
		out[i] = IdempotencyEntry{ID: r.ID, AcquiredAt: at, Acquired: ok}
	}
	return nil
}

// readEntries reads, in a snapshot newer than the insert's, the entries of the requests at the places in others into
// out. It returns those of others whose entries are older than KeyLife.
func (db *DB) readEntries(
	ctx context.Context, requests []IdempotentRequest, others []int, out []IdempotencyEntry,
) (old []int, err error) {
	q := `
select d.workspace_id, d.key_hash, d.request_hash, d.meaning_hash, d.id, d.taken_at,
       d.status is null and d.taken_at < now() - ` + acquiredFor + `, coalesce(d.status, 0), d.headers, d.body,
       d.created_at < now() - cast($3 as interval)
  from (select distinct workspace_id, key_hash from unnest($1::uuid[], $2::bytea[]) as u (workspace_id, key_hash)) i
 cross join lateral (
    select * from idempotency
     where workspace_id = ` + batchWorkspace("i.workspace_id") + ` and key_hash between i.key_hash and i.key_hash
     order by key_hash limit 1) d`
	type who struct {
		workspace id.UUID
		key       [32]byte
	}
	workspaces, keys := newColumn(uuids, len(others)), newColumn(byteas, len(others))
	for _, i := range others {
		workspaces.uuid(requests[i].Workspace)
		keys.bytes(requests[i].Key[:])
	}
	type found struct {
		IdempotencyEntry
		request, meaning []byte // a gateway of before keeps no meaning
		old              bool
	}
	all := map[who]found{}
	err = conn.Each(ctx, db, "read idempotency entries", func(row conn.Row) error {
		var w who
		var key []byte
		var f found
		err := row.Scan(&w.workspace, &key, &f.request, &f.meaning, &f.ID, &f.AcquiredAt, &f.Expired, &f.Status, &f.Header, &f.Body,
			&f.old)
		copy(w.key[:], key)
		all[w] = f
		return err
	}, q, workspaces.done(), keys.done(), interval(KeyLife))
	if err != nil {
		return nil, err
	}
	for _, i := range others {
		c := &requests[i]
		f, ok := all[who{c.Workspace, c.Key}]
		if !ok { // deleted between the two statements: shown as in progress, so that the client retries
			continue
		}
		if f.old {
			old = append(old, i)
		}
		out[i] = f.IdempotencyEntry
		out[i].Mismatch = string(f.request) != string(c.Request[:]) && string(f.meaning) != string(c.Meaning[:])
	}
	return old, nil
}

// ReclaimIdempotent acquires an expired key; ok is false when another request was faster, or the key has an answer.
func (db *DB) ReclaimIdempotent(
	ctx context.Context, r IdempotentRequest, expired IdempotencyEntry,
) (at time.Time, ok bool, err error) {
	const q = `
update idempotency set taken_at = now()
 where workspace_id = $1 and key_hash = $2 and id = $3 and taken_at = $4 and status is null
returning taken_at`
	return conn.Find(ctx, db, "reclaim idempotency key", conn.Value[time.Time], q, r.Workspace, r.Key[:], expired.ID,
		expired.AcquiredAt)
}

// IdempotentAnswer is the answer to an acquired request.
type IdempotentAnswer struct {
	Workspace  id.UUID
	Key        [32]byte
	ID         id.UUID
	AcquiredAt time.Time
	Status     int // 0: there is no answer to keep; the next request acquires the key, with the same ID
	Header     []byte
	Body       []byte
	Leads      []id.UUID // others than ID that the answer names: it is erased with any of them
}

// CompleteIdempotent keeps the first answer of each key. One that names a lead that is gone is kept as if it were
// erased already: nobody would erase it later. So is one that names a lead that is being erased. kept reports for each
// answer, in order, whether it was kept, or, of one without a Status, whether the key was given back.
func (db *DB) CompleteIdempotent(ctx context.Context, all []IdempotentAnswer) (kept []bool, err error) {
	return splitBatch(ctx, db, all, (*IdempotentAnswer).workspace,
		func(part []IdempotentAnswer) ([]bool, error) { return db.completeIdempotent(ctx, part, completeQuery) })
}

// CompleteIdempotentNow is CompleteIdempotent that waits for no lead: an answer that names one which is gone, or which
// somebody has locked, is not kept.
func (db *DB) CompleteIdempotentNow(ctx context.Context, all []IdempotentAnswer) (kept []bool, err error) {
	return splitBatch(ctx, db, all, (*IdempotentAnswer).workspace,
		func(part []IdempotentAnswer) ([]bool, error) {
			return db.completeIdempotent(ctx, part, completeNowQuery)
		})
}

func (a *IdempotentAnswer) workspace() id.UUID { return a.Workspace }

var completeQuery, completeNowQuery = completeQueryWith("", ""), completeQueryWith(" skip locked", " and i.whole")

// completeQueryWith makes the statement, with how leads are locked and a condition of what is kept.
func completeQueryWith(lock, kept string) string {
	return `
update idempotency d
   set status = i.status, headers = case when i.whole then i.headers end, body = case when i.whole then i.body end,
       leads = i.ids, taken_at = case when i.status is null then 'epoch' else d.taken_at end
  from (select *, u.leads::uuid[] as ids, not exists (
            select from unnest(u.leads::uuid[]) n (id)
             where not exists (
                select from leads l where l.workspace_id = ` + batchWorkspace("u.workspace_id") + ` and l.id between n.id and n.id
                 order by l.id offset 0 for key share` + lock + `)) as whole
          from unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::timestamptz[],
                      $5::integer[], $6::json[], $7::bytea[], $8::text[])
            as u (workspace_id, key_hash, id, taken_at, status, headers, body, leads) offset 0) i
 where d.workspace_id = ` + batchWorkspace("i.workspace_id") + ` and d.key_hash = i.key_hash and d.id = i.id and d.status is null
   and (i.status is not null or d.taken_at = i.taken_at)` + kept + `
returning d.id`
}

func (db *DB) completeIdempotent(ctx context.Context, all []IdempotentAnswer, query string) (kept []bool, err error) {
	n := len(all)
	c := newColumns(n, uuids, byteas, uuids, times, ints, jsons, byteas, texts)
	first := make(map[id.UUID]int, n)
	for i := range all {
		s := &all[i]
		if _, again := first[s.ID]; again {
			continue
		}
		first[s.ID] = i
		c[0].uuid(s.Workspace)
		c[1].bytes(s.Key[:])
		c[2].uuid(s.ID)
		c[3].time(s.AcquiredAt)
		if s.Status == 0 {
			c[4].null()
			c[5].null()
			c[6].null()
			c[7].null()
			continue
		}
		c[4].int(int64(s.Status))
		c[5].bytes(s.Header)
		c[6].bytes(s.Body)
		if len(s.Leads) == 0 {
			c[7].null()
			continue
		}
		c[7].string(idsText(s.Leads))
	}
	args := arrays(c...)
	kept = make([]bool, n)
	err = conn.Retry(ctx, func() error { // two processes can complete two of the same keys in another order
		clear(kept)
		return conn.Each(ctx, db.Prepared(), "complete idempotent", func(row conn.Row) error {
			var request id.UUID
			err := row.Scan(&request)
			kept[first[request]] = err == nil
			return err
		}, query, args...)
	})
	return kept, err
}

// idsText is ids as the text of a uuid[], for an array of arrays: all of one column would have to be of one length.
func idsText(ids []id.UUID) string {
	text := make([]string, len(ids))
	for i, u := range ids {
		text[i] = u.String()
	}
	return "{" + strings.Join(text, ",") + "}"
}

// ForgetIdempotent frees keys whose requests made nothing and are not answered by what is kept: any request may have
// them then. One that somebody else has by now stays.
func (db *DB) ForgetIdempotent(ctx context.Context, all []IdempotentAnswer) error {
	_, err := splitBatch(ctx, db, all, (*IdempotentAnswer).workspace,
		func(part []IdempotentAnswer) ([]struct{}, error) {
			return make([]struct{}, len(part)), db.forgetIdempotent(ctx, part)
		})
	return err
}

func (db *DB) forgetIdempotent(ctx context.Context, all []IdempotentAnswer) error {
	q := `
delete from idempotency where ` + conn.Either(`ctid = any(array(
    select d.ctid
      from unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::timestamptz[]) as i (workspace_id, key_hash, id, taken_at)
     cross join lateral (
        select ctid, id, taken_at, status from idempotency
         where workspace_id = i.workspace_id and key_hash between i.key_hash and i.key_hash
         order by key_hash limit 1) d
     where d.id = i.id and d.taken_at = i.taken_at and d.status is null))`, `
       workspace_id = ($1::uuid[])[1] and status is null and (key_hash, id, taken_at) in (
    select * from unnest($2::bytea[], $3::uuid[], $4::timestamptz[]))`)
	n := len(all)
	workspaces, keys, ids, at := newColumn(uuids, n), newColumn(byteas, n), newColumn(uuids, n), newColumn(times, n)
	for i := range all {
		workspaces.uuid(all[i].Workspace)
		keys.bytes(all[i].Key[:])
		ids.uuid(all[i].ID)
		at.time(all[i].AcquiredAt)
	}
	return conn.Retry(ctx, func() error {
		_, err := conn.Exec(ctx, db.Prepared(), "forget idempotency keys", q, workspaces.done(), keys.done(), ids.done(), at.done())
		return err
	})
}

// ReadIdempotencyEntry returns the entry of a key without acquiring it.
func (db *DB) ReadIdempotencyEntry(ctx context.Context, c IdempotentRequest) (IdempotencyEntry, error) {
	out := make([]IdempotencyEntry, 1)
	_, err := db.readEntries(ctx, []IdempotentRequest{c}, []int{0}, out)
	if err == nil && out[0].ID == (id.UUID{}) {
		err = fault.StoreUnavailable(errors.New("the idempotency key is gone"), time.Second)
	}
	return out[0], err
}

// DeleteOldKeys deletes up to limit keys whose answers were kept for KeyLife. It looks across workspaces. What somebody
// is about to use is left for the next time.
func (db *DB) DeleteOldKeys(ctx context.Context, limit int) (deleted int, err error) {
	q := deleteFirst("idempotency", `created_at < now() - cast($1 as interval)`,
		"order by created_at", "for update skip locked")
	return conn.Exec(ctx, db, "delete old idempotency keys", q, interval(KeyLife), limit)
}
