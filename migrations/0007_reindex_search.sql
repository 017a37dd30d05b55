-- +goose NO TRANSACTION
-- +goose Up
-- Leads are found by their phone and the domain of their email: words that lack the lexeme of lead.WordsVersion are made anew by upkeep, a few at a
-- time, those that processes of before still write among them. Serves ReindexSearch and the search of leads.

create index concurrently if not exists enrichments_reindex on enrichments (workspace_id, lead_id) where due_at is null and (words is null or not words @@ '2'::tsquery);

-- +goose Down
drop index enrichments_reindex;
