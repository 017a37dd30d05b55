package httpx

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/trace"
)

// isTraced reports whether a request for path can be about a lead. What balancers and browsers load is not followed.
func isTraced(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/f/")
}

// endSpan ends the request's span. Of the fields of its log line it has the two ids.
func (x *exchange) endSpan(method string) {
	if !x.span.Recording() {
		return
	}
	x.span.Name(method + " " + x.route)
	x.span.Add(trace.String(trace.Method, method), trace.String(trace.Route, x.route), trace.Int(trace.Status, x.status))
	for _, note := range x.notes {
		switch note.Key {
		case "workspace":
			x.span.Add(trace.String(trace.WorkspaceID, note.Value.String()))
		case "lead":
			x.span.Add(trace.String(trace.LeadID, note.Value.String()))
		}
	}
	failure := ""
	if x.status >= http.StatusInternalServerError {
		failure = "500"
		if x.fault != nil {
			failure = string(x.fault.Kind)
		}
	}
	x.span.End(failure)
}

// observe adds a time to a histogram, with the trace that it was seen in as its exemplar.
func observe(to prometheus.Observer, took time.Duration, s *trace.Span) {
	if id := s.Exemplar(); id != "" {
		to.(prometheus.ExemplarObserver).ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": id})
		return
	}
	to.Observe(took.Seconds())
}
