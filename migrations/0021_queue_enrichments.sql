-- +goose Up
-- New leads wait for their enrichment by the commit, not one by one: a row has the leads of one workspace in one commit. They get a row in
-- enrichments when something was found out about them. What has one already, and is to be looked at again, waits there (due_at).

create table enrichment_queue (
    workspace_id uuid        not null,
    due_at       timestamptz not null,
    id           uuid        not null, -- of the first of the leads
    leads        uuid[]      not null, -- those that are left, at most 100, so that they stand in the row
    primary key (workspace_id, due_at, id)
);
alter table enrichment_queue alter column leads set storage external; -- ids do not compress

-- +goose Down
insert into enrichments (workspace_id, lead_id, due_at)
select q.workspace_id, l.id, q.due_at from enrichment_queue q cross join lateral unnest(q.leads) l (id)
on conflict (workspace_id, lead_id) do nothing;
drop table enrichment_queue;
