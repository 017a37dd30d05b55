-- +goose Up
-- A week that a version to 0.1.0 has detached lacks the columns that its table has got since.

-- +goose StatementBegin
create or replace function attach_partition(part text) returns void
language plpgsql
as $$
    -- Brings back a week that a version to 0.1.0 has detached, or begun to detach, and not dropped: it has left a comment.
declare
    parent text := substring(part from '^(events|deliveries|attempts|submissions)_[0-9]{8}$');
    monday timestamptz := to_date(right(part, 8), 'YYYYMMDD')::timestamp at time zone 'UTC';
    missing record;
begin
    if parent is null
       or obj_description(to_regclass(part), 'pg_class') is distinct from 'leadgate: retention drops this' then
        raise exception '% is none that was detached', part;
    end if;
    if exists (select from pg_inherits where inhrelid = part::regclass and inhdetachpending) then
        execute format('alter table %I detach partition %I finalize', parent, part);
    end if;
    if not exists (select from pg_inherits where inhrelid = part::regclass) then
        for missing in
            select format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                   || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
                   || case when a.attnotnull then ' not null' else '' end as definition
              from pg_attribute a
              left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attrelid = parent::regclass and a.attnum > 0 and not a.attisdropped
               and not exists (select from pg_attribute p
                                where p.attrelid = part::regclass and p.attname = a.attname and not p.attisdropped)
             order by a.attnum
        loop
            execute format('alter table %I add column %s', part, missing.definition);
        end loop;
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
            parent, part, uuid_floor(monday), uuid_floor(monday + interval '7 days'));
    end if;
    execute format('comment on table %I is null', part);
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
begin
    execute format('alter function attach_partition(text) security definer set search_path = %I, pg_temp', current_schema());
end
$$;
-- +goose StatementEnd

-- +goose Down
select; -- the function of before does less
