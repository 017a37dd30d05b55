package form

import (
	"leadgate/gateway/internal/books"
	"leadgate/shared/tenant"
)

// count adds a submission to the books of its workspace that left no row; a form that is not known has none.
func (q *request) count(outcome Outcome, err error) {
	if q.p == nil {
		return
	}
	in := books.In{Workspace: q.p.WorkspaceID, Way: tenant.WayForm, Form: q.p.KeyID}
	switch {
	case err == nil && outcome == NotKept:
		q.Books.Count(in, tenant.BookHeld, 1)
		q.Books.Count(in, tenant.BookHeldNotKept, 1)
	case err != nil && outcome == NotSolved:
		q.Books.Count(in, tenant.RefusedCaptcha.Outcome(), 1)
	case err != nil && outcome == NotAdmitted:
		q.Books.Count(in, tenant.RefusedOrigin.Outcome(), 1)
	default:
		q.Books.CountError(in, err)
	}
}
