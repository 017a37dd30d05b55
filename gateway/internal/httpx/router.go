package httpx

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"leadgate/shared/fault"
)

// RouterErrors makes r answer its own 404 and 405 in the envelope and tell the edge which route matched.
func RouterErrors(r *mux.Router, e *Edge) {
	r.Use(template)
	r.NotFoundHandler = e.Handle(func(http.ResponseWriter, *http.Request) error {
		return nothingHere()
	})
	r.MethodNotAllowedHandler = e.Handle(func(w http.ResponseWriter, req *http.Request) error {
		allowed := strings.Join(allow(r, req), ", ")
		w.Header().Set("Allow", allowed)
		return fault.New(fault.MethodNotAllow, "Method not allowed here; allowed: "+allowed)
	})
}

func nothingHere() error { return fault.New(fault.NotFound, "There is nothing at this address") }

// allow asks the router itself which methods the request's path has.
func allow(r *mux.Router, req *http.Request) (methods []string) {
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		probe := req.Clone(req.Context())
		probe.Method = m
		var match mux.RouteMatch
		if r.Match(probe, &match) && match.MatchErr == nil {
			methods = append(methods, m)
		}
	}
	return methods
}
