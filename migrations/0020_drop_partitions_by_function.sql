-- +goose Up
-- A role that may only read and write rows can have weeks made and dropped: these functions have the rights of whoever
-- owns the tables, and look for names in their schema only.

-- +goose StatementBegin
create function drop_partition(part text) returns void
language plpgsql
as $$
    -- Drops a week of a table, once it is over. Its table is locked meanwhile.
declare
    parent text := substring(part from '^(events|deliveries|attempts|submissions)_[0-9]{8}$');
begin
    if parent is null or to_date(right(part, 8), 'YYYYMMDD') + 7 > (now() at time zone 'UTC')::date then
        raise exception '% is no week that is over', part;
    end if;
    if not exists (select from pg_inherits where inhrelid = to_regclass(part) and inhparent = parent::regclass) then
        raise exception '% is not attached', part;
    end if;
    execute format('drop table %I', part);
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function attach_partition(part text) returns void
language plpgsql
as $$
    -- Brings back a week that a version to 0.1.0 has detached, or begun to detach, and not dropped: it has left a comment.
declare
    parent text := substring(part from '^(events|deliveries|attempts|submissions)_[0-9]{8}$');
    monday timestamptz := to_date(right(part, 8), 'YYYYMMDD')::timestamp at time zone 'UTC';
begin
    if parent is null
       or obj_description(to_regclass(part), 'pg_class') is distinct from 'leadgate: retention drops this' then
        raise exception '% is none that was detached', part;
    end if;
    if exists (select from pg_inherits where inhrelid = part::regclass and inhdetachpending) then
        execute format('alter table %I detach partition %I finalize', parent, part);
    end if;
    if not exists (select from pg_inherits where inhrelid = part::regclass) then
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
            parent, part, uuid_floor(monday), uuid_floor(monday + interval '7 days'));
    end if;
    execute format('comment on table %I is null', part);
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
declare
    f regprocedure;
begin
    foreach f in array array['ensure_partitions(timestamptz, timestamptz)', 'drop_partition(text)',
                             'attach_partition(text)']::regprocedure[] loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', f, current_schema());
        execute format('revoke execute on function %s from public', f);
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose Down
drop function drop_partition, attach_partition;
alter function ensure_partitions security invoker reset search_path;
grant execute on function ensure_partitions to public;
