package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// now is the current time in the resolution that answers have.
func (a *api) now() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }

// stamp formats a time as answers show it.
func stamp(t time.Time) string { return t.UTC().Format(lead.TimeFormat) }

// optionalStamp shows an absent time as null.
func optionalStamp(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return optional(stamp(*t))
}

// optional shows a zero value as null.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// optionalID shows a zero id as null.
func optionalID(prefix id.Prefix, u id.UUID) *string {
	if u == (id.UUID{}) {
		return nil
	}
	return optional(prefix.Format(u))
}

// locate sets the Location of what a request made or found: path is that of its list, with a slash at the end.
func locate(w http.ResponseWriter, path, id string) { w.Header().Set("Location", path+id) }

// nextCursor is the cursor of the next page, which begins after last; "" means that there is none.
func nextCursor(prefix id.Prefix, last id.UUID) string {
	if last == (id.UUID{}) {
		return ""
	}
	return prefix.Format(last)
}

// list makes the operation that answers a page of a workspace's records. find is asked for one record more than the
// page holds: when it comes, another page follows.
func list[T, V any](prefix id.Prefix, find func(ctx context.Context, workspace, cursor id.UUID, limit int) ([]T, error),
	show func(T) V, idOf func(T) id.UUID) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		q := readParams(r)
		limit, cursor := q.limit(), q.cursor(prefix)
		if err := q.err(); err != nil {
			return err
		}
		found, err := find(r.Context(), p.WorkspaceID, cursor, limit+1)
		if err != nil {
			return err
		}
		var last id.UUID
		if len(found) > limit {
			found = found[:limit]
			last = idOf(found[limit-1])
		}
		return httpx.Page(w, showAll(found, show), nextCursor(prefix, last))
	}
}

// showAll shows each of found; of none it is an empty list, not null.
func showAll[T, V any](found []T, show func(T) V) []V {
	shown := make([]V, len(found))
	for i := range found {
		shown[i] = show(found[i])
	}
	return shown
}

// get makes the operation that answers the record whose id the path holds. find returns NOT_FOUND for another
// workspace's.
func get[T, V any](prefix id.Prefix, find func(ctx context.Context, workspace, id id.UUID) (T, error),
	show func(T) V) operation {
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		found, err := pathRecord(r, p, prefix, find)
		if err != nil {
			return err
		}
		return httpx.Data(w, http.StatusOK, show(found))
	}
}

// change makes the operation that changes, without a body, the record whose id the path holds, and answers it as it is
// then.
func change[T, V any](prefix id.Prefix, do func(ctx context.Context, workspace, id id.UUID) (T, error),
	show func(T) V) operation {
	answer := get(prefix, do, show)
	return func(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
		if _, err := pathID(r, prefix); err != nil {
			return err
		}
		if err := readEmptyBody(w, r); err != nil {
			return err
		}
		return answer(w, r, p)
	}
}

// pathRecord finds the record whose id the path holds.
func pathRecord[T any](r *http.Request, p *tenant.Principal, prefix id.Prefix,
	find func(ctx context.Context, workspace, id id.UUID) (T, error)) (found T, err error) {
	wanted, err := pathID(r, prefix)
	if err != nil {
		return found, err
	}
	return find(r.Context(), p.WorkspaceID, wanted)
}

// pathID reads the id that the path holds. A malformed id is as unknown as one that does not exist.
func pathID(r *http.Request, prefix id.Prefix) (id.UUID, error) {
	name := "id"
	if prefix == id.Chatbot {
		name = "chatbotId"
	}
	u, err := prefix.Parse(mux.Vars(r)[name])
	if err != nil {
		return u, notFound(prefix)
	}
	return u, nil
}

// notFound is NOT_FOUND of a thing that prefix names, worded as the stores word it.
func notFound(prefix id.Prefix) error {
	noun := prefix.Noun()
	return fault.New(fault.NotFound, string(noun[0]&^0x20)+noun[1:]+" not found")
}
