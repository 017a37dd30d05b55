-- +goose Up
-- Secrets that all gateways of a database share; others are derived from them. Made by the first that needs one.

create table installation_secrets (
    name       text        not null primary key,
    secret     text        not null, -- base64, sealed like the others
    created_at timestamptz not null
);

-- +goose Down
drop table installation_secrets;
