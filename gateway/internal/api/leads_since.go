package api

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// listLeadsSince answers the leads that were created, changed, deleted or restored since a place, in the order of their
// last change, and the place to go on from. Nothing appears before that any more, so a client that goes on from there
// misses nothing: see pg.LeadsSince.
func (a *api) listLeadsSince(w http.ResponseWriter, r *http.Request, p *tenant.Principal, q *params) error {
	limit, after := q.limit(), q.since()
	for _, name := range slices.Sorted(maps.Keys(q.Values)) {
		if name != "since" && name != "limit" {
			q.addError(name, "Must not be given with since, which lists every change of the workspace's leads")
		}
	}
	if err := q.err(); err != nil {
		return err
	}
	found, next, more, err := a.DB.LeadsSince(r.Context(), p.WorkspaceID, after, limit)
	if err != nil {
		return err
	}
	place := encodeCursor(cursorSince, next)
	return a.answerLeads(w, r, found, func(answer []byte) []byte {
		answer = appendText(answer, `,"nextCursor":null,"nextSince":`, place)
		return strconv.AppendBool(append(answer, `,"hasMore":`...), more)
	})
}

// since reads the nextSince of an earlier answer, or a time, for the first one.
func (q *params) since() pg.LeadKey {
	text := q.Get("since")
	if of, k, ok := decodeCursor(text); ok && of == cursorSince {
		return k
	}
	at, ok := parseTime(text)
	if !ok {
		q.addError("since", "Must be the nextSince of an earlier answer or, to begin with, an RFC 3339 time such as "+
			"2026-01-15T10:30:00Z"+plusHint)
	}
	return pg.LeadKey{UpdatedAt: at}
}
