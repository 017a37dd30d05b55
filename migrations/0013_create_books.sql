-- +goose Up
-- What was received and what became of it, counted with what it made. Entries are only inserted, so that nobody waits for another's counter;
-- a worker folds them into books.

create table book_entries (
    workspace_id uuid        not null,
    day          date        not null, -- UTC
    way          text        not null, -- form, api, batch, import
    form_id      uuid        not null, -- of way form; zero: none
    outcome      text        not null, -- received, new, appended, updated, held, suppressed, limited, refused:<reason>
    n            bigint      not null,
    flush        uuid,                 -- of counts that a process kept in memory: it writes them again when it does not know whether it did
    created_at   timestamptz not null default now()
);
create index book_entries_workspace on book_entries (workspace_id);
create unique index book_entries_flush on book_entries (flush, workspace_id, day, way, form_id, outcome) where flush is not null;

create table books (
    workspace_id uuid   not null,
    day          date   not null,
    way          text   not null,
    form_id      uuid   not null, -- zero: none
    outcome      text   not null,
    n            bigint not null,
    primary key (workspace_id, day, way, form_id, outcome)
);

-- +goose Down
drop table books, book_entries;
