-- +goose NO TRANSACTION
-- +goose Up
-- What a worker does for an import, or for an erasure that goes on as a job, is in the trace of the request that asked for
-- it. Null where nobody follows that.

alter table imports add column if not exists trace text; -- as in events

alter table erasures add column if not exists trace text;

-- +goose Down
alter table erasures drop column trace;
alter table imports drop column trace;
