-- +goose NO TRANSACTION
-- +goose Up
-- Leads can be changed, deleted, found by their words and imported; workspaces look after themselves; forms have keys of their own.

alter table workspaces add column if not exists test_of uuid unique references workspaces; -- the workspace whose test data this one holds

alter table api_keys
    add column if not exists kind   text not null default 'secret', -- or 'publishable': it opens nothing but its form
    add column if not exists public text,                           -- the whole text of a publishable key: it is no secret
    add column if not exists form   json;                           -- tenant.Form of a publishable key

-- email_key is what is unique: the email's key. Where the email is not to be kept from others it is followed by a space, which no key has,
-- and by what it is unique with: the chatbot (tenant.DedupeChatbot), or the lead itself (tenant.DedupeNone, and every deleted lead).
alter table leads add column if not exists deleted_at timestamptz; -- restorable for a while

-- What a lead is found by, of every workspace in one index: lead.Words, each tagged with its workspace. It is as old as due_at is null:
-- a lead that was made or changed since is owed, and looked at itself. Upkeep owes those that were there before, a few at a time.
alter table enrichments add column if not exists words tsvector;

-- Reservations in Redis that are to be given up: written with what frees an email, gone when Redis knows.
create table if not exists releases (
    workspace_id uuid        not null,
    email_key    text        not null,
    lead_id      uuid        not null, -- whose reservation it was
    created_at   timestamptz not null,
    primary key (workspace_id, email_key, lead_id)
);

-- Emails that may not come back, as lead.SuppressionHash: nobody can read them here.
create table if not exists suppressions (
    workspace_id uuid        not null,
    email_hash   bytea       not null,
    created_at   timestamptz not null,
    primary key (workspace_id, email_hash)
);

-- The first answer to a request with an Idempotency-Key, for a day.
create table if not exists idempotency (
    workspace_id uuid        not null,
    key_hash     bytea       not null, -- SHA-256 of the key
    request_hash bytea       not null, -- SHA-256 of method, path, query and body
    id           uuid        not null, -- the lead that the request makes has this id, whoever finishes it
    taken_at     timestamptz not null, -- by the process that works on it, or did last
    status       integer,              -- null: being worked on
    headers      json,
    body         bytea,                -- null: being worked on, or erased with its lead
    leads        uuid[],               -- others than id of which something is in the answer; null: there are none
    created_at   timestamptz not null,
    primary key (workspace_id, key_hash)
);
create index if not exists idempotency_created on idempotency (created_at);
create index if not exists idempotency_leads on idempotency using gin (leads) where leads is not null;
create index if not exists idempotency_id on idempotency (workspace_id, id);

create table if not exists imports (
    workspace_id uuid        not null references workspaces,
    id           uuid        not null,
    state        text        not null, -- uploading, waiting, running, done, failed, cancelled
    format       text        not null, -- csv, ndjson
    options      json        not null, -- how rows become leads
    bytes        bigint      not null default 0, -- of the file
    position     bigint      not null default 0, -- how much of it was worked on
    rows         integer     not null default 0, -- read so far; the same of the next four
    created      integer     not null default 0,
    updated      integer     not null default 0,
    duplicates   integer     not null default 0,
    rejected     integer     not null default 0,
    reason       text,                 -- why it failed
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    finished_at  timestamptz,
    primary key (workspace_id, id)
);
create index if not exists imports_unfinished on imports (workspace_id, id) where state in ('uploading', 'waiting', 'running');
create index if not exists imports_finished on imports (finished_at) where finished_at is not null;

-- The file of an import, in pieces of about a megabyte, until it was worked on.
create table if not exists import_chunks (
    workspace_id uuid    not null,
    import_id    uuid    not null,
    start        bigint  not null, -- the place of its first octet in the file
    data         bytea   not null,
    primary key (workspace_id, import_id, start)
);
alter table import_chunks alter column data set storage external; -- compressing it would cost more than it saves

-- Why rows of an import made no lead.
create table if not exists import_errors (
    workspace_id uuid    not null,
    import_id    uuid    not null,
    row          integer not null, -- 1 is the first lead
    code         text    not null,
    field        text    not null,
    value        text,
    message      text    not null,
    lead_id      uuid,             -- the lead that has the row's email; null: none, or it was erased, and value and message with it
    primary key (workspace_id, import_id, row)
);
create index if not exists import_errors_lead on import_errors (workspace_id, lead_id) where lead_id is not null;

-- What a workspace's requests came to, day by day (UTC).
create table if not exists usage (
    workspace_id uuid   not null,
    day          date   not null,
    accepted     bigint not null default 0,
    duplicates   bigint not null default 0,
    rejected     bigint not null default 0,
    limited      bigint not null default 0,
    primary key (workspace_id, day)
);

-- Who changed keys, settings and what cannot be undone. No personal data.
create table if not exists audit (
    workspace_id uuid        not null,
    id           uuid        not null,
    key_id       uuid,                 -- null: the operator
    action       text        not null, -- 'key.created'
    target       text        not null, -- the public id of what was changed
    details      json        not null,
    created_at   timestamptz not null,
    primary key (workspace_id, id)
);
create index if not exists audit_created on audit (created_at);

-- +goose Down
drop table audit, usage, import_errors, import_chunks, imports, idempotency, suppressions, releases;
alter table enrichments drop column words;
alter table leads drop column deleted_at;
alter table api_keys drop column form, drop column public, drop column kind;
alter table workspaces drop column test_of;
