package console

import "leadgate/shared/tenant"

// Route is a line of the table, as tests see it.
type Route struct {
	Method, Path string
	Scope        tenant.Scope // "": every session may
	Twins        []string
}

// Routes are the pages of who is signed in.
func Routes() (all []Route) {
	for _, r := range (&console{}).routes() {
		all = append(all, Route{r.method, r.path, r.scope, r.twins})
	}
	return all
}
