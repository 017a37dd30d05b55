-- +goose Up
-- What visitors sent with forms, and what became of it. Ids are UUIDv7, so a range of ids is a range of time, as in events.

create table submissions (
    workspace_id uuid        not null,
    id           uuid        not null,
    form_id      uuid        not null, -- the publishable key
    lead_id      uuid,                 -- null: it made none, or none yet
    outcome      text        not null, -- new, appended, updated, ignored, held, suppressed
    verdict      text        not null, -- clean, suspect, held; decided by the owner: released, spam
    points       integer     not null, -- of the reasons together
    reasons      json        not null, -- [{"check":...,"points":...,"note":...}]
    email        text,                 -- as typed; null: suppressed, or there is none
    email_key    text,                 -- lead.EmailKey: erasing a lead also erases what is held of its email
    name         text,
    fields       json,                 -- as they came, without secrets; null: suppressed
    page         text,
    referrer     text,
    campaign     json,                 -- campaign parameters and click ids: name -> value
    user_agent   text,
    address_hash bytea,                -- of the visitor, keyed; of an IPv6 address its /64
    created_at   timestamptz not null,
    decided_at   timestamptz,          -- when its owner released it or marked it as spam
    primary key (workspace_id, id)
) partition by range (id);

create index submissions_lead on submissions (workspace_id, lead_id, id) where lead_id is not null;
create index submissions_email on submissions (workspace_id, email_key) where lead_id is null and email_key is not null; -- erasures look here
create index submissions_held on submissions (workspace_id, form_id, id) where verdict = 'held'; -- the quarantine, and how much of a day is in it
create index submissions_verdict on submissions (workspace_id, verdict, id) where verdict in ('held', 'spam'); -- lists, and what has expired

-- A lead's first and last submissions, once retention has dropped the week they were in.
create table kept_submissions (
    like submissions including defaults,
    primary key (workspace_id, id)
);
create index kept_submissions_lead on kept_submissions (workspace_id, lead_id, id);

-- +goose StatementBegin
create or replace function ensure_partitions(from_time timestamptz, until_time timestamptz) returns integer
language plpgsql
as $$
    -- Makes the missing weekly partitions (Monday to Monday, UTC) that cover [from_time, until_time]; returns how many.
    -- Attached, not created in place: attaching does not lock out readers and writers of the parent.
declare
    monday timestamptz := date_trunc('week', from_time at time zone 'UTC') at time zone 'UTC';
    parent text;
    part   text;
    made   integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('leadgate.ensure_partitions'));
    while monday <= until_time loop
        foreach parent in array array['events', 'deliveries', 'attempts', 'submissions'] loop
            part := parent || '_' || to_char(monday at time zone 'UTC', 'YYYYMMDD');
            if to_regclass(part) is null then
                execute format('create table %I (like %I including defaults including constraints)', part, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                    parent, part, uuid_floor(monday), uuid_floor(monday + interval '7 days'));
                made := made + 1;
            end if;
        end loop;
        monday := monday + interval '7 days';
    end loop;
    return made;
end
$$;
-- +goose StatementEnd

-- +goose Down
drop table kept_submissions, submissions;
-- +goose StatementBegin
create or replace function ensure_partitions(from_time timestamptz, until_time timestamptz) returns integer
language plpgsql
as $$
declare
    monday timestamptz := date_trunc('week', from_time at time zone 'UTC') at time zone 'UTC';
    parent text;
    part   text;
    made   integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('leadgate.ensure_partitions'));
    while monday <= until_time loop
        foreach parent in array array['events', 'deliveries', 'attempts'] loop
            part := parent || '_' || to_char(monday at time zone 'UTC', 'YYYYMMDD');
            if to_regclass(part) is null then
                execute format('create table %I (like %I including defaults including constraints)', part, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                    parent, part, uuid_floor(monday), uuid_floor(monday + interval '7 days'));
                made := made + 1;
            end if;
        end loop;
        monday := monday + interval '7 days';
    end loop;
    return made;
end
$$;
-- +goose StatementEnd
