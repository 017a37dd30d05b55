package api

// Row is a route as the document has it.
type Row struct {
	Method, Path, Scope string
	Query               []string
}

// Table is the whole table, for tests.
func Table() (all []Row) {
	for _, rt := range (&api{}).routes() {
		all = append(all, Row{rt.method, rt.path, string(rt.scope), rt.query})
	}
	return all
}
