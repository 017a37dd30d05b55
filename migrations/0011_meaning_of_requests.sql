-- +goose Up

-- A retry under an Idempotency-Key may be written differently, if it says the same; gateways of before leave it null.

alter table idempotency add column if not exists meaning_hash bytea;

-- +goose Down
alter table idempotency drop column meaning_hash;
