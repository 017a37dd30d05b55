// Package httpx is the HTTP edge of both listeners: one envelope, one error table, one log line and one set of metrics
// per request.
package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/trace"
)

// Handler answers a request or returns why it cannot; Edge.Handle renders what it returns.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Deps of New.
type Deps struct {
	Log       *slog.Logger          // nil: slog.Default
	Registry  prometheus.Registerer // nil: metrics are kept but not published
	AccessLog bool                  // false: only answers of 500 and above are logged
	Listener  string                // "api" or "admin": a label of every metric

	Tracer *trace.Tracer          // exports what requests of the API and of forms take; nil: nothing
	Memory *limit.Budget[id.UUID] // of workspaces' requests; nil: nothing bounds what they hold together
	Failed func(Failure)          // is told of each answer of 500 and above; nil: nobody is
}

// Failure is an answer of 500 or above. It has no personal data.
type Failure struct {
	At          time.Time `json:"at"`
	RequestID   string    `json:"requestId"`
	Listener    string    `json:"listener"`
	Method      string    `json:"method"`
	Route       string    `json:"route"`
	Status      int       `json:"status"`
	Code        string    `json:"code"`
	WorkspaceID string    `json:"workspaceId"` // "": it is not known
	Millis      float64   `json:"ms"`
}

// Edge wraps everything one listener serves.
type Edge struct {
	log      *slog.Logger
	access   bool
	tracer   *trace.Tracer
	memory   *limit.Budget[id.UUID]
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	listener string
	failed   func(Failure)
}

// New makes the edge of one listener and registers its metrics.
func New(d Deps) *Edge {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	reg := d.Registry
	if reg != nil {
		reg = prometheus.WrapRegistererWith(prometheus.Labels{"listener": d.Listener}, reg)
	}
	metrics := promauto.With(reg)
	return &Edge{
		log:      d.Log.With("listener", d.Listener),
		access:   d.AccessLog,
		tracer:   d.Tracer,
		memory:   d.Memory,
		listener: d.Listener,
		failed:   d.Failed,
		requests: metrics.NewCounterVec(prometheus.CounterOpts{
			Name: "leadgate_http_requests_total", Help: "Requests answered, by route template.",
		}, []string{"method", "route", "status"}),
		seconds: metrics.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leadgate_http_request_seconds", Help: "Time from the request's head to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
		inFlight: metrics.NewGauge(prometheus.GaugeOpts{
			Name: "leadgate_http_in_flight", Help: "Requests being answered now.",
		}),
	}
}

// Handle makes h an http.Handler: an error it returns becomes the envelope.
func (e *Edge) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			Fail(w, r, err)
		}
	})
}

// Wrap goes around the whole router: request id, recover, log line, metrics.
func (e *Edge) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := &exchange{ResponseWriter: w, id: id.Request.Format(id.New()), route: "none", memory: e.memory,
			reads: r.Method == http.MethodGet || r.Method == http.MethodHead}
		h := w.Header()
		h.Set("X-Request-Id", x.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if doubtfulLength(r) {
			h.Set("Connection", "close")
		}
		ctx := context.WithValue(r.Context(), exchangeKey{}, x)
		if isTraced(r.URL.Path) {
			x.span = e.tracer.Serve(r.Header, verb(r.Method))
			ctx = trace.With(ctx, x.span)
		}
		r = r.WithContext(ctx)
		e.inFlight.Inc()
		defer func() {
			reason := recover()
			if reason != nil && reason != http.ErrAbortHandler {
				e.recovered(x, reason)
			}
			e.inFlight.Dec()
			x.release()
			e.finish(x, r, time.Since(start))
			if reason == http.ErrAbortHandler || x.torn {
				panic(http.ErrAbortHandler) // half an answer went out: the client must see it break off
			}
		}()
		if hasEncodedSlash(r.URL) {
			Fail(x, r, nothingHere())
			return
		}
		next.ServeHTTP(x, r)
	})
}

// doubtfulLength reports whether a proxy in front may have read another length of the body than net/http did. Such a
// connection ends with the answer, so that the rest of a body is never taken for a request (RFC 9112, 6.1). It does of
// every chunked request, and of HTTP/1.0, because net/http does not tell whether a second length was given.
func doubtfulLength(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// hasEncodedSlash reports whether a segment of the path holds a slash (RFC 3986, 2.2). No route has such a segment, but
// mux would take the slash for the end of one.
func hasEncodedSlash(u *url.URL) bool { return strings.Contains(strings.ToLower(u.RawPath), "%2f") }

// recovered turns a panic into INTERNAL, or marks the answer torn when its head is already out.
func (e *Edge) recovered(x *exchange, reason any) {
	x.note("stack", string(debug.Stack()))
	x.fault = fault.From(fmt.Errorf("panic: %v", reason))
	if x.status != 0 {
		x.torn, x.status = true, http.StatusInternalServerError
		return
	}
	writeFault(x, x, x.fault)
}

// Fail renders err once; after the head is out it can only be logged. It writes also when the request's context is
// canceled: that is how net/http tells of a client that closed only its sending side, and for a handler that writes
// nothing it sends a 200.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	x := of(r)
	f := fault.From(err)
	if x != nil {
		x.fault = f
		if x.status != 0 {
			return
		}
		if r.Context().Err() != nil {
			x.note("client_closed", true)
		}
	}
	writeFault(w, x, f)
}

// finish counts the request and writes its line.
func (e *Edge) finish(x *exchange, r *http.Request, took time.Duration) {
	if x.status == 0 {
		x.status = http.StatusOK // net/http sends that for a handler that wrote nothing
	}
	method := verb(r.Method)
	e.requests.WithLabelValues(method, x.route, strconv.Itoa(x.status)).Inc()
	observe(e.seconds.WithLabelValues(method, x.route), took, x.span)
	x.endSpan(method)
	if x.status >= http.StatusInternalServerError && e.failed != nil {
		e.failed(x.failure(e.listener, method, took))
	}
	level := slog.LevelInfo
	switch {
	case x.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case x.status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	if !e.access && level == slog.LevelInfo || !e.log.Enabled(r.Context(), level) {
		return
	}
	// The route, never the path or the query: those hold whatever a client put there.
	attrs := make([]slog.Attr, 0, 10+len(x.notes))
	attrs = append(attrs, slog.String("request_id", x.id), slog.String("method", method), slog.String("route", x.route),
		slog.Int("status", x.status), slog.Int64("bytes", x.bytes), slog.Float64("ms", float64(took.Microseconds())/1000))
	if theirs := sanitise(r.Header.Get("X-Request-Id")); theirs != "" {
		attrs = append(attrs, slog.String("client_request_id", theirs))
	}
	if trace := x.span.TraceID(); trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	if x.fault != nil {
		attrs = append(attrs, slog.String("code", string(x.fault.Kind)))
		if x.fault.Cause != nil {
			attrs = append(attrs, slog.String("error", x.fault.Cause.Error()))
		}
	}
	e.log.LogAttrs(r.Context(), level, "request", append(attrs, x.notes...)...)
}

// verb keeps a client from inventing label values.
func verb(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "OTHER"
}

// template records which route matched, for the log line and the metrics.
func template(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := of(r); x != nil {
			if route := mux.CurrentRoute(r); route != nil {
				if t, err := route.GetPathTemplate(); err == nil {
					x.route = t
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}
