-- +goose Up
-- A lead, what enrichment owes or found out about it, and nothing that changes often.

create table leads (
    workspace_id uuid        not null, -- no foreign key: the gateway has just read the workspace, and a check per row is dear
    id           uuid        not null, -- UUIDv7
    chatbot_id   uuid,
    email        text        not null, -- as typed, trimmed: this is what mail is sent to
    email_key    text        not null, -- lead.EmailKey: what is unique
    name         text,
    phone        text,
    source       text        not null,
    status       text        not null,
    metadata     json        not null, -- json, not jsonb: it goes out as it came in
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    primary key (workspace_id, id)
);

-- The judge of DUPLICATE_EMAIL; a Redis reservation is only a hint.
create unique index leads_email_key on leads (workspace_id, email_key);

-- due_at is null once nothing is owed. Apart from leads, so that finding facts does not rewrite a lead's indexes.
create table enrichments (
    workspace_id uuid        not null,
    lead_id      uuid        not null,
    due_at       timestamptz,
    attempts     integer     not null default 0,
    facts        json,
    enriched_at  timestamptz,
    primary key (workspace_id, lead_id)
);

create index enrichments_due on enrichments (workspace_id, due_at) where due_at is not null;

-- +goose Down
drop table enrichments, leads;
