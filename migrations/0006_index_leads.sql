-- +goose NO TRANSACTION
-- +goose Up
-- Indexes of large tables, made while leads go on coming in.

create index concurrently if not exists leads_updated on leads (workspace_id, updated_at, id);

create index concurrently if not exists leads_deleted on leads (workspace_id, id) where deleted_at is not null;

create index concurrently if not exists leads_purge on leads (deleted_at) where deleted_at is not null;

create index concurrently if not exists enrichments_words on enrichments using gin (words) where words is not null;

create index concurrently if not exists enrichments_unread on enrichments (workspace_id, lead_id) where words is null and due_at is null; -- from before there were words

-- +goose Down
drop index enrichments_unread, enrichments_words, leads_purge, leads_deleted, leads_updated;
