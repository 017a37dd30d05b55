-- +goose NO TRANSACTION
-- +goose Up
-- The keys of emails are NFKC: those of before that are not are made anew by gateway migrate, whenever it runs. Nearly no lead is in this index.
-- Only where a key is not ASCII is it looked at more closely.

create index concurrently if not exists leads_rekey on leads (workspace_id, id) where octet_length(email_key) > char_length(email_key) and email_key is not nfkc normalized;

-- +goose Down
drop index leads_rekey;
