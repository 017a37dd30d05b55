-- +goose NO TRANSACTION
-- +goose Up
-- An endpoint can take several events in one request.

alter table endpoints
    add column if not exists batch_max     smallint, -- events in a request; null: each has a request of its own
    add column if not exists batch_wait_ms integer;  -- how long an event may wait for others

alter table attempts -- those by one request have the same id
    add column if not exists batch_id    uuid,     -- the request's webhook-id; null: it had no other event
    add column if not exists batch_first uuid,     -- the delivery that stands first in it, whose attempt has the answer
    add column if not exists batch_size  smallint,
    add column if not exists batch_index smallint; -- from 1

-- +goose Down
alter table attempts drop column batch_id, drop column batch_first, drop column batch_size, drop column batch_index;
alter table endpoints drop column batch_max, drop column batch_wait_ms;
