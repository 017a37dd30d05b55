-- +goose Up
-- Tenants: a workspace owns everything else, and workspace_id leads every key.

create table workspaces (
    id         uuid        primary key,
    name       text        not null,
    settings   jsonb       not null, -- tenant.Settings
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table chatbots (
    workspace_id uuid        not null references workspaces,
    id           uuid        not null,
    name         text        not null,
    created_at   timestamptz not null,
    primary key (workspace_id, id)
);

-- hash is unique over all workspaces: it is the one thing looked up before the workspace is known.
create table api_keys (
    workspace_id uuid        not null references workspaces,
    id           uuid        not null,
    hash         bytea       not null unique, -- SHA-256 of the secret, which is stored nowhere
    hint         text        not null,        -- the last four characters, to tell keys apart
    name         text        not null,
    scopes       text[]      not null,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    primary key (workspace_id, id)
);

-- +goose Down
drop table api_keys, chatbots, workspaces;
