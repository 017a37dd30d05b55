package e2e

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"leadgate/shared/devstack"
	"leadgate/shared/testwait"
)

const (
	callerTrace  = "0af7651916cd43dd8448eb211c80319c"
	callerSpan   = "b7ad6b7169203331"
	callerParent = "00-" + callerTrace + "-" + callerSpan + "-01"
	callerState  = "vendor=of-the-caller"
)

// collected is an OTLP/HTTP collector.
type collected struct {
	mu    sync.Mutex
	spans []*spans.Span
	from  map[string]bool // services
	text  strings.Builder // all that came, as text
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var got collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &got)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.WriteString(got.String())
	for _, of := range got.ResourceSpans {
		c.from[attribute(of.Resource.GetAttributes(), "service.name")] = true
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func attribute(all []*common.KeyValue, key string) string {
	for _, a := range all {
		if a.Key == key {
			if n := a.Value.GetIntValue(); n != 0 {
				return fmt.Sprint(n)
			}
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// find returns the spans of a trace that fit.
func (c *collected) find(trace string, fits func(*spans.Span) bool) (found []*spans.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace && fits(s) {
			found = append(found, s)
		}
	}
	return found
}

// mustSpan waits for the one span of a trace with this name and, unless that is "", this attempt number.
func (c *collected) mustSpan(t *testing.T, trace, name, attempt string) (s *spans.Span) {
	t.Helper()
	testwait.Until(t, "span "+name+" "+attempt, func() bool {
		found := c.find(trace, func(s *spans.Span) bool {
			return s.Name == name && (attempt == "" || attribute(s.Attributes, "leadgate.attempt.number") == attempt)
		})
		if len(found) > 1 {
			t.Fatalf("%d spans %s", len(found), name)
		}
		if len(found) == 1 {
			s = found[0]
		}
		return s != nil
	})
	return s
}

// mustHear makes an endpoint of the tenant and returns the headers of what it gets. It refuses the first of each of
// these types.
func (c *tenant) mustHear(t *testing.T, refused ...string) <-chan http.Header {
	t.Helper()
	heard, seen := make(chan http.Header, 100), sync.Map{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		kind, _, _ := strings.Cut(strings.TrimPrefix(string(body), `{"type":"`), `"`)
		if _, again := seen.LoadOrStore(kind, true); !again && slices.Contains(refused, kind) {
			w.WriteHeader(http.StatusTeapot)
		}
		r.Header.Set("Type", kind)
		heard <- r.Header
	}))
	t.Cleanup(receiver.Close)
	made := c.call(t, "POST", "/api/v1/webhooks", fmt.Sprintf(
		`{"url":"%s/secret-path","eventTypes":["lead.*"],"maxInFlight":1}`, receiver.URL))
	if made.status != http.StatusCreated {
		t.Fatalf("POST /webhooks = %v", made)
	}
	return heard
}

// postTraced sends a lead, with headers.
func (c *tenant) postTraced(t *testing.T, email string, header http.Header) answer {
	t.Helper()
	return c.send(t, "POST", "/api/v1/leads", fmt.Sprintf(`{"email":%q,"name":"Ann Hidden"}`, email), header)
}

func (c *tenant) send(t *testing.T, method, path, body string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Authorization", "Bearer "+c.key)
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, text}
}

// One trace goes from the caller's span over the request, its parts and the enrichment to each attempt at a delivery,
// over what is kept in Postgres between them, and into what the receiver gets.
func TestTraceFromRequestToReceiver(t *testing.T) {
	t.Parallel()
	got := &collected{from: map[string]bool{}}
	server := httptest.NewServer(got)
	t.Cleanup(server.Close)
	sys, err := devstack.Start(context.Background(), devstack.SystemOptions{Getenv: os.Getenv, Env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_RESOURCE_ATTRIBUTES=a=b"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Stop() })
	c := mustTenantOf(t, sys)
	heard := c.mustHear(t, "lead.created")
	posted := c.postTraced(t, "hidden@example.com", http.Header{"Traceparent": {callerParent}, "Tracestate": {callerState}})
	if posted.status != http.StatusCreated {
		t.Fatalf("POST /leads = %v", posted)
	}
	lead := posted.id(t)

	request := got.mustSpan(t, callerTrace, "POST /api/v1/leads", "")
	if parent := hex.EncodeToString(request.ParentSpanId); parent != callerSpan {
		t.Errorf("the request's parent is %s, want the caller's span", parent)
	}
	for key, want := range map[string]string{"http.route": "/api/v1/leads", "http.response.status_code": "201",
		"leadgate.workspace.id": c.workspace, "leadgate.lead.id": lead} {
		if is := attribute(request.Attributes, key); is != want {
			t.Errorf("the request's %s = %q, want %q", key, is, want)
		}
	}
	childOf := func(parent *spans.Span, name, attempt string) *spans.Span {
		t.Helper()
		s := got.mustSpan(t, callerTrace, name, attempt)
		if string(s.ParentSpanId) != string(parent.SpanId) {
			t.Errorf("%s %s is no part of %s", name, attempt, parent.Name)
		}
		return s
	}
	childOf(request, "admit", "")
	if n := attribute(childOf(request, "commit", "").Attributes, "leadgate.batch.size"); n != "1" {
		t.Errorf("the commit has %s leads, want 1", n)
	}
	enriched := childOf(request, "enrich lead", "")
	refused, made := childOf(request, "deliver lead.created", "1"), childOf(request, "deliver lead.created", "2")
	told := childOf(enriched, "deliver lead.enriched", "1")
	if refused.Status.GetCode() != spans.Status_STATUS_CODE_ERROR || attribute(refused.Attributes, "http.response.status_code") != "418" {
		t.Errorf("the refused attempt = %v", refused)
	}
	for _, want := range []*spans.Span{refused, made, told} {
		header := <-heard
		if parent := header.Get("Traceparent"); parent != "00-"+callerTrace+"-"+hex.EncodeToString(want.SpanId)+"-01" {
			t.Errorf("the receiver got traceparent %s with %s, want that of its attempt", parent, header.Get("Type"))
		}
		if state := header.Get("Tracestate"); state != callerState {
			t.Errorf("the receiver got tracestate %q, want the caller's", state)
		}
	}
	c.checkImport(t, got, heard)
	c.checkTold(t, got, sys)
	c.checkSampling(t, got, heard)
}

// checkImport imports a lead, whose events are in the trace of the request that brought the file.
func (c *tenant) checkImport(t *testing.T, got *collected, heard <-chan http.Header) {
	t.Helper()
	const traceID = "55556666777788889999000011112222"
	sent := c.send(t, "POST", "/api/v1/imports", "email\nrow@example.com\n",
		http.Header{"Traceparent": {"00-" + traceID + "-" + callerSpan + "-01"}, "Content-Type": {"text/csv"}})
	if sent.status != http.StatusAccepted {
		t.Fatalf("POST /imports = %v", sent)
	}
	parent := got.mustSpan(t, traceID, "POST /api/v1/imports", "")
	for _, name := range []string{"import leads", "deliver lead.created"} {
		span := got.mustSpan(t, traceID, name, "")
		if string(span.ParentSpanId) != string(parent.SpanId) {
			t.Errorf("%s is no part of %s", name, parent.Name)
		}
		parent = span
		if name == "import leads" {
			if commit := got.mustSpan(t, traceID, "commit", ""); string(commit.ParentSpanId) != string(span.SpanId) ||
				attribute(commit.Attributes, "leadgate.batch.size") != "1" {
				t.Errorf("commit = %v, want that of the one row, a part of the import", commit)
			}
		}
	}
	for _, name := range []string{"deliver lead.created", "deliver lead.enriched"} {
		span, header := got.mustSpan(t, traceID, name, ""), <-heard
		if header.Get("Traceparent") != "00-"+traceID+"-"+hex.EncodeToString(span.SpanId)+"-01" {
			t.Errorf("the receiver got traceparent %s with %s, want that of its attempt", header.Get("Traceparent"), header.Get("Type"))
		}
	}
}

// checkTold looks at what the collector, the timeline and the metrics have.
func (c *tenant) checkTold(t *testing.T, got *collected, sys *devstack.System) {
	t.Helper()
	got.mu.Lock()
	text, services := got.text.String(), fmt.Sprint(got.from)
	got.mu.Unlock()
	for _, hidden := range []string{"hidden@", "Hidden", "secret-path", c.key} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is in what was exported", hidden)
		}
	}
	if services != "map[leadgate-gateway:true leadgate-worker:true]" {
		t.Errorf("services = %s, want gateway and worker", services)
	}
	var leads []struct{ ID string }
	c.call(t, "GET", "/api/v1/leads?email=hidden@example.com", "").data(t, &leads)
	timeline := c.call(t, "GET", "/api/v1/leads/"+leads[0].ID+"/timeline", "")
	if n := strings.Count(string(timeline.body), `"traceId":"`+callerTrace+`"`); n != 2 {
		t.Errorf("the timeline has the trace %d times, want it with both events: %s", n, timeline.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", sys.AdminURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(metrics), `# {trace_id="`+callerTrace+`"}`) {
		t.Errorf("the metrics have no exemplar of the trace (%v)", err)
	}
}

// checkSampling posts leads that nobody traces, that a caller does not want to be traced, and whose trace is hostile.
func (c *tenant) checkSampling(t *testing.T, got *collected, heard <-chan http.Header) {
	t.Helper()
	const unsampled = "11112222333344445555666677778888"
	c.postTraced(t, "unsampled@example.com", http.Header{"Traceparent": {"00-" + unsampled + "-" + callerSpan + "-00"}})
	for range 2 {
		if parent := (<-heard).Get("Traceparent"); !strings.HasPrefix(parent, "00-"+unsampled+"-") || !strings.HasSuffix(parent, "-00") {
			t.Errorf("the receiver got traceparent %q, want the caller's, not sampled", parent)
		}
	}
	c.postTraced(t, "hostile@example.com", http.Header{"Traceparent": {callerParent + "-01"}})
	for range 2 {
		if parent := (<-heard).Get("Traceparent"); len(parent) != 55 || strings.Contains(parent, callerTrace) {
			t.Errorf("the receiver got traceparent %q, want that of a new trace", parent)
		}
	}
	if n := len(got.find(unsampled, func(*spans.Span) bool { return true })); n != 0 {
		t.Errorf("%d spans of a trace that is not sampled", n)
	}
}

// Where nothing is exported, what came with a request is passed on as it came, if it is valid.
func TestTraceIsPassedOn(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	heard := c.mustHear(t)
	zeros := strings.Repeat("0", 32)
	for name, test := range map[string]struct {
		parents       []string
		state         string
		parent, after string // what the receiver gets
	}{
		"a trace":                {[]string{callerParent}, callerState, callerParent, callerState},
		"not sampled":            {[]string{"00-" + callerTrace + "-" + callerSpan + "-00"}, "", "00-" + callerTrace + "-" + callerSpan + "-00", ""},
		"none":                   {nil, "", "", ""},
		"state alone":            {nil, callerState, "", ""},
		"a later version":        {[]string{"01-" + callerTrace + "-" + callerSpan + "-01-more"}, "", callerParent, ""},
		"a version that is none": {[]string{"ff-" + callerTrace + "-" + callerSpan + "-01"}, "", "", ""},
		"too long":               {[]string{callerParent + "-01"}, "", "", ""},
		"much too long":          {[]string{"01-" + callerTrace + "-" + callerSpan + "-01-" + strings.Repeat("a", 8000)}, "", "", ""},
		"upper case":             {[]string{strings.ToUpper(callerParent)}, "", "", ""},
		"no trace id":            {[]string{"00-" + zeros + "-" + callerSpan + "-01"}, "", "", ""},
		"no span id":             {[]string{"00-" + callerTrace + "-" + zeros[:16] + "-01"}, "", "", ""},
		"two":                    {[]string{callerParent, callerParent}, "", "", ""},
		"a large state":          {[]string{callerParent}, "a=" + strings.Repeat("b,c=d", 2000), callerParent, ""},
		"a state that is none":   {[]string{callerParent}, "\"';drop table", callerParent, ""},
	} {
		header := http.Header{"Traceparent": test.parents}
		if test.state != "" {
			header.Set("Tracestate", test.state)
		}
		if got := c.postTraced(t, strings.ReplaceAll(name, " ", "-")+"@example.com", header); got.status != http.StatusCreated {
			t.Errorf("%s: POST /leads = %v, want 201", name, got)
			continue
		}
		for range 2 { // lead.created, lead.enriched
			got := <-heard
			if parent, state := got.Get("Traceparent"), got.Get("Tracestate"); parent != test.parent || state != test.after {
				t.Errorf("%s: the receiver got %q, %q with %s, want %q, %q", name, parent, state, got.Get("Type"), test.parent,
					test.after)
			}
		}
	}
}

// A trace is passed on with whatever a request makes of a lead, however that comes.
func TestTraceOfEachWayIsPassedOn(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	heard := c.mustHear(t)
	form := c.mustFormPath(t, map[string]any{"origins": []string{"*"}})
	for n, step := range []struct{ method, path, body, media, event string }{
		{"POST", form, `{"email":"ann@example.com","name":"Ann"}`, "", "lead.created"},
		{"POST", form, `{"email":"ann@example.com","message":"Once more"}`, "", "lead.submitted"},
		{"POST", "/api/v1/imports", "email\nrow@example.com\n", "text/csv", "lead.created"},
		{"DELETE", "/api/v1/leads/%s?erase=true", "", "", "lead.deleted"},
	} {
		want := fmt.Sprintf("00-%032x-%016x-01", n+1, n+1)
		if step.method == "DELETE" {
			var leads []struct{ ID string }
			c.call(t, "GET", "/api/v1/leads?email=ann@example.com", "").data(t, &leads)
			step.path = fmt.Sprintf(step.path, leads[0].ID)
		}
		got := c.send(t, step.method, step.path, step.body, http.Header{"Traceparent": {want}, "Content-Type": {step.media}})
		if got.status >= 300 {
			t.Fatalf("%s %s = %v", step.method, step.path, got)
		}
		testwait.Until(t, step.event, func() bool {
			select {
			case h := <-heard:
				if h.Get("Type") == step.event && h.Get("Traceparent") != want {
					t.Errorf("after %s %s the receiver got traceparent %q with %s, want %q", step.method, step.path,
						h.Get("Traceparent"), step.event, want)
				}
				return h.Get("Type") == step.event
			default:
				return false
			}
		})
	}
}

// A request of several events has one traceparent: that of the first which has any.
func TestTraceOfABatch(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	heard := make(chan http.Header, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header }))
	t.Cleanup(receiver.Close)
	made := c.call(t, "POST", "/api/v1/webhooks", fmt.Sprintf(
		`{"url":%q,"eventTypes":["lead.created"],"batch":{"max":3,"waitMs":60000}}`, receiver.URL))
	if made.status != http.StatusCreated {
		t.Fatalf("POST /webhooks = %v", made)
	}
	c.postTraced(t, "alone@example.com", http.Header{})
	got := c.send(t, "POST", "/api/v1/leads/batch", `{"leads":[{"email":"one@example.com"},{"email":"two@example.com"}]}`,
		http.Header{"Traceparent": {callerParent}})
	if got.status != http.StatusMultiStatus {
		t.Fatalf("POST /leads/batch = %v, want 207", got)
	}
	if parent := (<-heard).Get("Traceparent"); parent != callerParent {
		t.Errorf("the receiver got traceparent %q, want the caller's", parent)
	}
}
