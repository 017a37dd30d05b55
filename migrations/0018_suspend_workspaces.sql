-- +goose Up
-- A workspace can be suspended, and then deleted, by the administrator. What is suspended is resumed as it was.

alter table workspaces
    add column suspended_at     timestamptz, -- since when nothing is taken in for it and nothing is sent; null: it is not suspended. A sandbox has that of its live workspace
    add column suspended_reason text,        -- for administrators
    add column exported_at      timestamptz; -- when an export of it ended that began after it was suspended

-- Deletions of workspaces, under way and done: then the row is the receipt. Nothing in it is of a person.
create table workspace_deletions (
    id           uuid        primary key,              -- of the workspace
    sandbox_id   uuid,                                 -- the workspace of its test data; null: it has none
    requested_by text        not null default '',      -- the administrator; empty: it was not told
    exported_at  timestamptz,                          -- null: it was deleted without an export
    erased       jsonb       not null default '{}',    -- table -> rows, and redis -> keys
    requested_at timestamptz not null,
    erased_at    timestamptz,                          -- when its own row went, with which nobody can write for it any more
    finished_at  timestamptz                           -- when it was looked through once more
);
create index workspace_deletions_running on workspace_deletions (id) where finished_at is null; -- RunningDeletions

-- +goose Down
drop table workspace_deletions;
alter table workspaces drop column exported_at, drop column suspended_reason, drop column suspended_at;
