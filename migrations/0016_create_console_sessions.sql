-- +goose Up
-- Who is signed in to the console, and links that sign in once. Secrets are kept as their SHA-256 only.

create table console_sessions (
    workspace_id    uuid        not null references workspaces,
    id              uuid        not null,
    key_id          uuid,                   -- the API key that opened it; null: the operator
    name            text        not null,   -- who it is for; may be empty
    scopes          text[]      not null,
    frame_origins   text[]      not null,   -- whose pages may show the console in a frame
    brand           json        not null,   -- tenant.Brand
    secret_hash     bytea       unique,     -- of the browser's cookie; null: not opened, or ended
    link_hash       bytea       unique,     -- null: there is no link, or it was used, or the session has ended
    link_expires_at timestamptz,            -- null: it was opened without a link
    created_at      timestamptz not null,
    opened_at       timestamptz,
    expires_at      timestamptz not null,   -- at most 12 hours after created_at
    ended_at        timestamptz,
    primary key (workspace_id, id)
);

create index console_sessions_expired on console_sessions (expires_at); -- DeleteOldSessions

-- +goose Down
drop table console_sessions;
