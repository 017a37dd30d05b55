-- +goose Up
-- Endpoints learn what a subscriber can ask for and how they fare; deliveries can be held, sent again and replayed.

alter table endpoints
    add column chatbot_ids      uuid[],                       -- null: the events of every chatbot, and of none
    add column headers          json        not null default '{}', -- sent along: name -> value
    add column payload          text        not null default 'full', -- or 'thin'
    add column rate             integer,                      -- deliveries per second; null: no limit
    add column max_in_flight    integer     not null default 32, -- 1: strictly in order
    add column timeout_s        integer     not null default 15,
    add column former_secrets   json        not null default '[]', -- [{"secret":..., "until":...}]: they sign too, until then
    add column deleted_at       timestamptz,                  -- its row stays as long as its deliveries can be read
    add column disabled_at      timestamptz,
    add column disabled_reason  text,                         -- owner, failing, gone
    -- hook.Health: how it fared lately. Whoever has the drain lease writes it.
    add column failures         integer     not null default 0, -- failed attempts in a row
    add column failing_since    timestamptz,
    add column failing_delivery uuid,                         -- the only one that failed since; null when there are several
    add column probe_at         timestamptz,                  -- the breaker is open: nothing is sent before, and then one delivery
    add column probes           integer     not null default 0, -- failed probes in a row
    add column last_error       text,
    add column last_success_at  timestamptz,
    add column told             boolean     not null default false, -- endpoint.failing was sent about it
    add column paced_until      timestamptz,                  -- its rate allows nothing before
    add column notice_event     uuid;                         -- what the operator's hook is still to be told

create index endpoints_live on endpoints (workspace_id, id) where deleted_at is null; -- each new event looks for its endpoints here
create index endpoints_notice on endpoints (workspace_id, id) where notice_event is not null;

alter table events add column chatbot_id uuid;
create index events_lead on events (workspace_id, lead_id, id) where lead_id is not null;

-- State can also be 'held' (its endpoint is disabled) and 'cancelled' (its endpoint was deleted).
alter table deliveries add column tries integer not null default 0; -- attempts since it was last sent anew: its place in the schedule
create index deliveries_stuck on deliveries (workspace_id, endpoint_id, id) where state in ('exhausted', 'held');

create table replays (
    workspace_id uuid        not null references workspaces,
    id           uuid        not null,
    filter       json        not null, -- hook.Filter
    rate         integer     not null, -- deliveries per second
    state        text        not null, -- running, done, cancelled
    total        integer,              -- deliveries that matched when it began; null until they are counted
    resent       integer     not null default 0,
    position     uuid,                 -- the last delivery looked at
    last_at      timestamptz,          -- when the last were resent
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    finished_at  timestamptz,
    primary key (workspace_id, id)
);

create index replays_running on replays (workspace_id, id) where state = 'running';

-- +goose Down
drop table replays;
drop index deliveries_stuck, events_lead, endpoints_notice, endpoints_live;
alter table deliveries drop column tries;
alter table events drop column chatbot_id;
alter table endpoints
    drop column chatbot_ids, drop column headers, drop column payload, drop column rate, drop column max_in_flight, drop column timeout_s,
    drop column former_secrets, drop column deleted_at, drop column disabled_at, drop column disabled_reason, drop column failures,
    drop column failing_since, drop column failing_delivery, drop column probe_at, drop column probes, drop column last_error,
    drop column last_success_at, drop column told, drop column paced_until, drop column notice_event;
