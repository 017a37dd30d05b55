-- +goose NO TRANSACTION
-- +goose Up
-- How long deliveries took, from the event to the first answer that took it, and which endpoints are slow.

create table if not exists delivery_times (
    workspace_id uuid        not null,
    endpoint_id  uuid        not null,
    hour         timestamptz not null, -- in which they arrived
    bucket       smallint    not null, -- webhook.Times: the least power of 1.2 that is as many milliseconds
    n            integer     not null,
    primary key (workspace_id, endpoint_id, hour, bucket)
);

create index concurrently if not exists delivery_times_hour on delivery_times (hour); -- retention begins with the oldest

alter table deliveries add column if not exists delivered_before boolean not null default false; -- and was sent again since: it is not timed again

alter table endpoints add column if not exists slow_since timestamptz; -- endpoint.slow was sent about it; null: it is fast enough

-- +goose Down
alter table endpoints drop column slow_since;
alter table deliveries drop column delivered_before;
drop table delivery_times;
