package pg

import (
	"cmp"
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg/conn"
)

// odd counts a row that made or changed a lead although something was odd about it, and reports it.
func (c *importCommit) odd(row *ImportRow, leadID id.UUID) {
	if row.Odd == nil {
		return
	}
	c.out.Tally.Warnings++
	if row.Odd.Message != "" {
		m := *row.Odd
		m.Lead = leadID
		c.mistakes = append(c.mistakes, m)
	}
}

// report records why rows made no lead, or what was odd about them. What it says of a lead is erased with the lead: of
// one that was erased since it was found it says nothing, and the others cannot be erased before the commit.
func (c *importCommit) report(ctx context.Context, tx *sqlx.Tx) error {
	// $1 workspace, $2 import, $3 rows, $4 codes, $5 fields, $6 values, $7 messages, $8 leads, $9 message about an
	// erased lead
	const q = `
with there as materialized (
    select l.id
      from (select distinct id from unnest($8::uuid[]) m (id) where id is not null order by id) m
     cross join lateral (
        select id from leads where workspace_id = $1 and id between m.id and m.id order by id limit 1 for key share) l
)
insert into import_errors (workspace_id, import_id, row, code, field, value, message, lead_id)
select $1, $2, m.row, m.code, m.field,
       case when m.lead_id is null or l.id is not null then m.value end,
       case when m.lead_id is null or l.id is not null then m.message else $9 end,
       l.id
  from unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[])
    as m (row, code, field, value, message, lead_id)
  left join there l on l.id = m.lead_id`
	if len(c.mistakes) == 0 {
		return nil
	}
	slices.SortFunc(c.mistakes, func(a, b leadfile.Mistake) int { return cmp.Compare(a.Row, b.Row) })
	n := len(c.mistakes)
	rows, codes, fields := newColumn(ints, n), newColumn(texts, n), newColumn(texts, n)
	values, messages, leads := newColumn(texts, n), newColumn(texts, n), newColumn(uuids, n)
	for _, m := range c.mistakes {
		rows.int(int64(m.Row))
		codes.string(m.Code)
		fields.string(m.Field)
		values.optionalString(m.Value)
		messages.string(m.Message)
		leads.optionalUUID(m.Lead)
	}
	_, err := conn.Exec(ctx, tx, "report rows", q, c.Workspace, c.Import, rows.done(), codes.done(), fields.done(),
		values.done(),
		messages.done(), leads.done(), leadfile.ErasedLead)
	return err
}
