package pg

import (
	"context"
	"strings"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// Pulse is what changes when something happens in a workspace that its owner would like to see at once. Each is a hash,
// or "" where there is nothing. Held is how many submissions of the last month are in quarantine, MaxPulseHeld at most;
// it is not a part of String.
type Pulse struct {
	Leads, Submissions, Endpoints string
	Held                          int
}

// MaxPulseHeld is how many submissions in quarantine are counted, so that a full one costs no more.
const MaxPulseHeld = 100

// String is the pulse as ParsePulse reads it.
func (p Pulse) String() string { return p.Leads + "." + p.Submissions + "." + p.Endpoints }

// ParsePulse reads a pulse; of any other text it is false.
func ParsePulse(text string) (p Pulse, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return p, false
	}
	return Pulse{Leads: parts[0], Submissions: parts[1], Endpoints: parts[2]}, true
}

// Changed names what is different from a former pulse.
func (p Pulse) Changed(former Pulse) (names []string) {
	for _, c := range []struct{ name, now, then string }{
		{"leads", p.Leads, former.Leads}, {"submissions", p.Submissions, former.Submissions},
		{"endpoints", p.Endpoints, former.Endpoints},
	} {
		if c.now != c.then {
			names = append(names, c.name)
		}
	}
	return names
}

// Pulse reads the pulse of a workspace: the ends of three indexes, and the states of its endpoints.
func (db *DB) Pulse(ctx context.Context, workspace id.UUID) (p Pulse, err error) {
	const q = `
select coalesce((select md5(concat(id, updated_at)) from leads
                  where workspace_id = $1 order by updated_at desc, id desc limit 1), ''),
       coalesce((select md5(cast(id as text)) from submissions
                  where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour') order by id desc limit 1), ''),
       coalesce((select md5(string_agg(concat(id, enabled, failing_since is not null, slow_since is not null, updated_at),
                                       '' order by id))
                   from endpoints where workspace_id = $1 and deleted_at is null), ''),
       (select count(*) from (
            select 1 from submissions where workspace_id = $1 and verdict = 'held' and id >= uuid_floor(now() - interval '31 days')
             order by id desc limit $2) held)`
	err = db.QueryRowxContext(ctx, q, workspace, MaxPulseHeld).Scan(&p.Leads, &p.Submissions, &p.Endpoints, &p.Held)
	return p, conn.Fail(ctx, "read the pulse", err)
}
