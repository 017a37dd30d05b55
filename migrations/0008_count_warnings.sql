-- +goose Up

-- An import counts the rows that became leads although something was odd about them.

alter table imports add column if not exists warnings integer not null default 0;

-- +goose Down
alter table imports drop column warnings;
