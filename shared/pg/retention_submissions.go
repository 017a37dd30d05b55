package pg

import (
	"cmp"
	"context"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
)

// keepSubmissionsBatch is how many submissions one statement looks at.
const keepSubmissionsBatch = 1000

// keepSubmissions copies each lead's first and last submissions of a week to kept_submissions, as long as the week is
// attached: one is the first if none is kept that is older, and the last if there is none that is newer. Where one is
// kept, an older one goes that is not the lead's first any more. What a crash leaves is done again by the next run. It
// looks across workspaces.
func (r *retention) keepSubmissions(ctx context.Context, p *partition) error {
	// Newer and older ones are looked for one by one, by the index of a lead's submissions. The lead is locked, so that
	// an erasure either comes before, and nothing is kept, or after, and deletes what is.
	// $1 workspace, $2 lead and $3 submission after which the batch begins, $4 rows
	of := func(workspace string) string { return conn.Either(workspace, `$1`) }
	q := `
with batch as materialized (
    select workspace_id, lead_id, id from ` + p.table + `
     where lead_id is not null and ` + conn.Either(`(workspace_id, lead_id, id) > ($1, $2, $3)`,
		`workspace_id = $1 and (lead_id, id) > ($2, $3)`) + `
     order by workspace_id, lead_id, id limit $4
), ends as materialized (
    select b.* from batch b
     where not exists (
               select from ` + p.table + ` s
                where s.workspace_id = ` + of(`b.workspace_id`) + ` and s.lead_id between b.lead_id and b.lead_id and s.id < b.id
                order by s.lead_id, s.id offset 0)
       and not exists (
               select from kept_submissions k
                where k.workspace_id = ` + of(`b.workspace_id`) + ` and k.lead_id between b.lead_id and b.lead_id and k.id < b.id
                order by k.lead_id, k.id offset 0)
        or not exists (
               select from submissions s
                where s.workspace_id = ` + of(`b.workspace_id`) + ` and s.lead_id between b.lead_id and b.lead_id and s.id > b.id
                order by s.lead_id, s.id offset 0)
     order by workspace_id, lead_id, id
), there as materialized (
    select e.workspace_id, e.id
      from ends e
     cross join lateral (
           select from leads l where l.workspace_id = ` + of(`e.workspace_id`) + ` and l.id between e.lead_id and e.lead_id
            order by l.id limit 1 for key share) l
), kept as (
    insert into kept_submissions (` + submissionColumns + `)
    select s.* from there t
     cross join lateral (
           select ` + submissionColumns + ` from ` + p.table + ` s
            where s.workspace_id = ` + of(`t.workspace_id`) + ` and s.id between t.id and t.id order by s.id limit 1) s
    on conflict (workspace_id, id) do nothing
    returning workspace_id, lead_id, id
), gone as (
    delete from kept_submissions k
     using (select o.workspace_id, o.id
              from kept n
             cross join lateral (
                   select workspace_id, id from kept_submissions k
                    where k.workspace_id = ` + of(`n.workspace_id`) + ` and k.lead_id between n.lead_id and n.lead_id and k.id < n.id
                    order by k.lead_id, k.id offset 1) o) o -- the oldest stays: it is the first
     where k.workspace_id = ` + of(`o.workspace_id`) + ` and k.id = o.id
)
select workspace_id, lead_id, id from batch order by workspace_id desc, lead_id desc, id desc limit 1`
	each, err := r.workspacesOf(ctx, p)
	for _, workspace := range each {
		err = cmp.Or(err, r.keepSubmissionsOf(ctx, q, workspace))
	}
	return err
}

// workspacesOf returns the workspaces of a week on Citus, which keeps submissions of one after the other. Postgres does
// that of all together: there it is the zero id. It looks across workspaces.
func (r *retention) workspacesOf(ctx context.Context, p *partition) ([]id.UUID, error) {
	if citus, err := r.pool.OnCitus(ctx); err != nil || !citus {
		return []id.UUID{{}}, err
	}
	return conn.Collect(ctx, r.pool, "find workspaces of a week", conn.Value[id.UUID],
		`select distinct workspace_id from `+p.table+` where lead_id is not null`)
}

// keepSubmissionsOf runs the statement of keepSubmissions from the first submission of a workspace on.
func (r *retention) keepSubmissionsOf(ctx context.Context, q string, workspace id.UUID) error {
	last := [3]id.UUID{workspace}
	for more := true; more; {
		err := r.inTx(ctx, 0, func(tx *sqlx.Tx) error {
			more = false
			return conn.Each(ctx, tx, "keep submissions", func(row conn.Row) error {
				more = true
				return row.Scan(&last[0], &last[1], &last[2])
			}, q, last[0], last[1], last[2], keepSubmissionsBatch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
