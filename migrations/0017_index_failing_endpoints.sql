-- +goose NO TRANSACTION
-- +goose Up
-- FailingEndpoints. None of its columns changes while an endpoint goes on as it does, so that what attempts write of it stays cheap (HOT).

create index concurrently if not exists endpoints_failing on endpoints (failing_since desc nulls last, workspace_id, id) where deleted_at is null and (failing_since is not null or not enabled) and coalesce(disabled_reason, '') <> 'owner';

-- +goose Down
drop index endpoints_failing;
