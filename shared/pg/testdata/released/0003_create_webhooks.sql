-- +goose Up
-- Webhooks: endpoints, and three growing tables partitioned by time. Their ids are UUIDv7, so a range of ids is a range of time.

create table endpoints (
    workspace_id uuid        not null references workspaces,
    id           uuid        not null,
    url          text        not null,
    description  text        not null,
    event_types  text[]      not null, -- 'lead.created', or 'lead.*' for every type of that group
    secret       text        not null, -- whsec_...: needed to sign, shown to the client once
    enabled      boolean     not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    -- The drain lease: one worker at a time sends to an endpoint, also when Redis has forgotten who.
    drain_token  uuid,
    drain_until  timestamptz,
    primary key (workspace_id, id)
) with (fillfactor = 50); -- the lease is rewritten every round; keep it on its page

create table events (
    workspace_id uuid        not null,
    id           uuid        not null,
    type         text        not null,
    lead_id      uuid,
    data         json        not null, -- the "data" of the webhook payload, fixed when the event happened
    created_at   timestamptz not null,
    primary key (workspace_id, id)
) partition by range (id);

-- A delivery's id is delivery_id(event, endpoint): there can be only one, and an event's deliveries are a range of ids.
create table deliveries (
    workspace_id uuid        not null,
    id           uuid        not null,
    endpoint_id  uuid        not null,
    event_id     uuid        not null,
    state        text        not null, -- pending, delivered, exhausted
    attempts     integer     not null default 0,
    next_at      timestamptz,          -- when a pending one is due
    last_status  integer,              -- HTTP status of the last attempt; null when there was no answer
    last_error   text,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    primary key (workspace_id, id)
) partition by range (id);

create index deliveries_due on deliveries (workspace_id, endpoint_id, next_at, id) where state = 'pending';
create index deliveries_endpoint on deliveries (workspace_id, endpoint_id, id);

create table attempts (
    workspace_id  uuid        not null,
    delivery_id   uuid        not null,
    id            uuid        not null,
    number        integer     not null, -- 1 is the first try
    status        integer,              -- null when there was no answer
    error         text,                 -- hook.ErrorClass and its words; null on success
    response_head text,                 -- the first 4 KiB of the answer's body
    latency_ms    integer     not null,
    created_at    timestamptz not null,
    primary key (workspace_id, delivery_id, id)
) partition by range (id);

-- +goose StatementBegin
create function delivery_id(event uuid, endpoint uuid) returns uuid
language sql immutable strict parallel safe
as $$
    -- The event's time and version, then 60 bits of a hash of both: UUIDv7 in form, the same whenever it is computed.
    select (left(event::text, 20) || substr(h, 1, 3) || '-' || substr(h, 4, 12))::uuid
      from (select md5(event::text || endpoint::text)) as m (h)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function uuid_floor(at timestamptz) returns uuid
language sql immutable strict parallel safe
as $$
    -- The smallest UUIDv7 of a moment.
    select (left(x, 8) || '-' || right(x, 4) || '-0000-0000-000000000000')::uuid
      from (select lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')) as h (x)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function ensure_partitions(from_time timestamptz, until_time timestamptz) returns integer
language plpgsql
as $$
    -- Makes the missing weekly partitions (Monday to Monday, UTC) that cover [from_time, until_time]; returns how many.
    -- Attached, not created in place: attaching does not lock out readers and writers of the parent.
declare
    monday timestamptz := date_trunc('week', from_time at time zone 'UTC') at time zone 'UTC';
    parent text;
    part   text;
    made   integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('leadgate.ensure_partitions'));
    while monday <= until_time loop
        foreach parent in array array['events', 'deliveries', 'attempts'] loop
            part := parent || '_' || to_char(monday at time zone 'UTC', 'YYYYMMDD');
            if to_regclass(part) is null then
                execute format('create table %I (like %I including defaults including constraints)', part, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                    parent, part, uuid_floor(monday), uuid_floor(monday + interval '7 days'));
                made := made + 1;
            end if;
        end loop;
        monday := monday + interval '7 days';
    end loop;
    return made;
end
$$;
-- +goose StatementEnd

select ensure_partitions(now() - interval '1 day', now() + interval '28 days');

-- +goose Down
drop table attempts, deliveries, events, endpoints;
drop function ensure_partitions, uuid_floor, delivery_id;
