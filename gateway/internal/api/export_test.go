package api

import "leadgate/gateway/internal/timeline"

// Routes is the table as method and path, for tests.
func Routes() (all [][2]string) {
	for _, rt := range (&api{}).routes() {
		all = append(all, [2]string{rt.method, rt.path})
	}
	return all
}

// Params is what a route's query can hold, for tests.
func Params(method, path string) []string {
	for _, rt := range (&api{}).routes() {
		if rt.method == method && rt.path == path {
			return rt.query
		}
	}
	return nil
}

// ShowEntry shows an entry of a timeline, for tests.
func ShowEntry(e timeline.Entry) any { return showEntry(e) }
