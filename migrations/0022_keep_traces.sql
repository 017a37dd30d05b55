-- +goose NO TRANSACTION
-- +goose Up
-- Who follows a request by a trace (W3C Trace Context) finds its webhooks in it. Null, which takes no room, where nobody
-- does.

alter table events add column if not exists trace text; -- traceparent and, after a space, tracestate

alter table enrichment_queue add column if not exists traces text[]; -- of leads, by their place; null: none has one

-- +goose Down
alter table enrichment_queue drop column traces;
alter table events drop column trace;
