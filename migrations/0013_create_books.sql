-- +goose Up
-- What was received and what became of it, counted with what it made. Entries are only inserted, so that nobody waits for another's counter;
-- a worker folds them into books.

create table book_entries (
    workspace_id uuid   not null,
    day          date   not null, -- UTC
    way          text   not null, -- form, api, batch, import
    form_id      uuid   not null, -- of way form; zero: none
    outcome      text   not null, -- received, new, appended, updated, held, suppressed, limited, refused:<reason>, and information
    n            bigint not null
);
create index book_entries_workspace on book_entries (workspace_id, day);

create table books (
    workspace_id uuid   not null,
    day          date   not null,
    way          text   not null,
    form_id      uuid   not null, -- zero: none
    outcome      text   not null,
    n            bigint not null,
    primary key (workspace_id, day, way, form_id, outcome)
);
create index books_day on books (day); -- what is old is deleted

-- How far a process has written what it had counted in memory: it writes again what it does not know to be written.
create table book_flushes (
    process    uuid        primary key,
    flush      bigint      not null, -- the last one that was written
    flushed_at timestamptz not null default now()
);

-- +goose Down
drop table book_flushes, books, book_entries;
