-- +goose NO TRANSACTION
-- +goose Up
-- Indexes of large tables, made while leads go on coming in. What an interrupted try left is dropped first.

drop index if exists leads_updated;
create index concurrently leads_updated on leads (workspace_id, updated_at, id);
drop index if exists leads_deleted;
create index concurrently leads_deleted on leads (workspace_id, id) where deleted_at is not null;
drop index if exists leads_purge;
create index concurrently leads_purge on leads (deleted_at) where deleted_at is not null;
drop index if exists enrichments_words;
create index concurrently enrichments_words on enrichments using gin (words) where words is not null;
drop index if exists enrichments_unread;
create index concurrently enrichments_unread on enrichments (workspace_id, lead_id) where words is null and due_at is null; -- from before there were words

-- +goose Down
drop index enrichments_unread, enrichments_words, leads_purge, leads_deleted, leads_updated;
