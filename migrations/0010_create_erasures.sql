-- +goose Up
-- Erasures of leads with so many events that they go on after their answer. A row is gone with its lead, when the receipt is in audit.

create table erasures (
    workspace_id uuid        not null,
    id           uuid        not null, -- of the receipt
    lead_id      uuid        not null,
    key_id       uuid,                 -- who asked for it; null: the operator
    suppressed   boolean     not null,
    events       integer     not null, -- erased so far; the same of the next two
    deliveries   integer     not null,
    attempts     integer     not null,
    created_at   timestamptz not null,
    primary key (workspace_id, id),
    unique (workspace_id, lead_id)
);

-- +goose Down
drop table erasures;
