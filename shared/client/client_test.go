package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve answers the n-th request, from 0, with answers[n], and all later ones with the last.
func serve(t *testing.T, answers ...http.HandlerFunc) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1)) - 1
		answers[min(n, len(answers)-1)](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// say answers with a status and a body, and maybe with Retry-After.
func say(status int, body, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// drop closes the connection without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func mustClient(t *testing.T, o Options) *Client {
	t.Helper()
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

func TestErrorHasEveryField(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, say(400, `{"success":false,"error":"Invalid","code":"VALIDATION_ERROR","requestId":"req_1","details":{"errors":[
		{"field":"email","pointer":"/email","value":"x","message":"Must be an email"},{"field":"name","value":null,"message":"Must be text"}],
		"errorsOmitted":3}}`, "7"))
	_, err := mustClient(t, Options{URL: url, Key: "sk"}).CreateLead(t.Context(), NewLead{Email: "x"}, CreateOptions{})
	var e *Error
	if !errors.As(err, &e) || e.Status != 400 || e.Code != "VALIDATION_ERROR" || e.RequestID != "req_1" ||
		e.RetryAfter != 7*time.Second {
		t.Fatalf("CreateLead() = %#v, want the API's error", err)
	}
	if want := "Invalid\n  email \"x\": Must be an email\n  name: Must be text\n  and 3 more"; e.Error() != want ||
		e.Fields[0].Pointer != "/email" {
		t.Errorf("Error() = %q, want %q", e.Error(), want)
	}
}

func TestErrorOfWhatIsNotTheAPI(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"a page": "<p>Bad gateway</p>", "other JSON": `{"message":"no"}`,
		"nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, say(502, body, ""))
			_, err := mustClient(t, Options{URL: url}).GetLead(t.Context(), "lead_1")
			var e *Error
			if !errors.As(err, &e) || e.Code != "" || err.Error() != "the API answered 502 Bad Gateway" {
				t.Errorf("GetLead() = %v, want that the API answered 502", err)
			}
		})
	}
}

// What may be repeated is, until it succeeds; the rest is sent once.
func TestRepeats(t *testing.T) {
	t.Parallel()
	created := say(201, `{"success":true,"data":{"id":"lead_1"}}`, "")
	inProgress := say(409, `{"success":false,"error":"Wait","code":"IDEMPOTENCY_IN_PROGRESS"}`, "")
	create := func(ctx context.Context, c *Client) error {
		_, err := c.CreateLead(ctx, NewLead{Email: "a@example.com"}, CreateOptions{})
		return err
	}
	subscribe := func(ctx context.Context, c *Client) error {
		_, err := c.CreateWebhook(ctx, NewWebhook{URL: "https://hooks.example.com"})
		return err
	}
	get := func(ctx context.Context, c *Client) error { _, err := c.GetLead(ctx, "lead_1"); return err }
	for name, tc := range map[string]struct {
		patience time.Duration
		first    http.HandlerFunc
		do       func(context.Context, *Client) error
		asked    int64
		good     bool
	}{
		"unavailable":                 {time.Minute, say(503, "", ""), create, 2, true},
		"a broken connection":         {time.Minute, drop, create, 2, true},
		"a rate limit":                {time.Minute, say(429, "", ""), create, 2, true},
		"an answer is on its way":     {time.Minute, inProgress, create, 2, true},
		"a read":                      {time.Minute, drop, get, 2, true},
		"a POST without a key, 429":   {time.Minute, say(429, "", ""), subscribe, 2, true},
		"a POST without a key, 503":   {time.Minute, say(503, "", ""), subscribe, 1, false},
		"a POST without a key, reset": {time.Minute, drop, subscribe, 1, false},
		"a mistake":                   {time.Minute, say(400, "", ""), create, 1, false},
		"a conflict": {time.Minute, say(409, `{"error":"Taken","code":"DUPLICATE_EMAIL"}`, ""), create, 1,
			false},
		"no patience":              {0, say(503, "", ""), get, 1, false},
		"less patience than asked": {time.Second, say(503, "", "30"), get, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, asked := serve(t, tc.first, created)
			err := tc.do(t.Context(), mustClient(t, Options{URL: url, Key: "sk", Patience: tc.patience}))
			if (err == nil) != tc.good || asked.Load() != tc.asked {
				t.Errorf("%v after %d requests, want success %v after %d", err, asked.Load(), tc.good, tc.asked)
			}
		})
	}
}

// A repeat has the same Idempotency-Key, which is made up where the caller gives none.
func TestRepeatsHaveOneKey(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]string{"given": "mine", "made up": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var keys []string
			note := func(next http.HandlerFunc) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					keys = append(keys, r.Header.Get("Idempotency-Key"))
					next(w, r)
				}
			}
			url, _ := serve(t, note(say(503, "", "")), note(say(201, `{"data":{"id":"lead_1"}}`, "")))
			c := mustClient(t, Options{URL: url, Patience: time.Minute})
			made, err := c.CreateLead(t.Context(), NewLead{Email: "a@example.com"}, CreateOptions{IdempotencyKey: given})
			if err != nil || made.ID != "lead_1" || !made.New {
				t.Fatalf("CreateLead() = %+v, %v, want lead_1", made, err)
			}
			if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] || given != "" && keys[0] != given {
				t.Errorf("keys = %q, want one twice", keys)
			}
		})
	}
}

func TestPatienceEndsWithTheContext(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, say(503, "", "20"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := mustClient(t, Options{URL: url, Patience: time.Hour}).GetLead(ctx, "lead_1")
	var e *Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) {
		t.Errorf("GetLead() = %v, want the deadline and the last answer", err)
	}
}

func TestWaitBefore(t *testing.T) {
	t.Parallel()
	busy := &Error{Status: 503}
	for name, tc := range map[string]struct {
		n      int
		err    error
		chance float64
		want   time.Duration
	}{
		"the first, soonest": {0, busy, 0, 50 * time.Millisecond},
		"the first, latest":  {0, busy, 1, 100 * time.Millisecond},
		"the third":          {2, busy, 1, 400 * time.Millisecond},
		"one of many":        {60, busy, 1, maxWait},
		"as the API asks":    {3, &Error{Status: 429, RetryAfter: 2 * time.Second}, 0, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := waitBefore(tc.n, tc.err, tc.chance); got != tc.want {
				t.Errorf("waitBefore(%d, %v, %v) = %v, want %v", tc.n, tc.err, tc.chance, got, tc.want)
			}
		})
	}
}

func TestReadRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"3": 3 * time.Second, "": 0, "-3": 0, "soon": 0, "Tue, 01 Jan 2030 00:00:05 GMT": 5 * time.Second,
		"Mon, 31 Dec 2029 00:00:05 GMT": 0,
	} {
		t.Run(text, func(t *testing.T) {
			if got := readRetryAfter(text, now); got != want {
				t.Errorf("readRetryAfter(%q) = %v, want %v", text, got, want)
			}
		})
	}
}

// A question that is never answered ends, and a file that stalls too.
func TestNothingIsWaitedForLong(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	hang := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/export") {
			io.WriteString(w, "id\n")
			http.NewResponseController(w).Flush()
		}
		<-over
	}
	url, _ := serve(t, hang)
	t.Cleanup(func() { close(over) })
	c := mustClient(t, Options{URL: url, AnswerTimeout: 100 * time.Millisecond, IdleTimeout: 200 * time.Millisecond})
	if _, err := c.GetLead(t.Context(), "lead_1"); err == nil {
		t.Error("GetLead() = nil, want an error")
	}
	file, err := c.ExportLeads(t.Context(), ExportOptions{Format: "csv"}, LeadFilter{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); err == nil || err.Error() != "the connection stalled for 200ms" ||
		string(text) != "id\n" {
		t.Errorf("export = %q, %v, want a line, and that it stalled", text, err)
	}
}

// The key is sent to no other address.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other, reached := serve(t, say(200, "{}", ""))
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/base"+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
	_, err := mustClient(t, Options{URL: url, Key: "sk", Patience: time.Minute}).GetLead(t.Context(), "lead_1")
	if err == nil || !strings.HasSuffix(err.Error(), "use --url "+other+"/base") || reached.Load() != 0 {
		t.Errorf("GetLead() = %v, reached the other address: %v, want it named and not reached", err, reached.Load() != 0)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(context.Context, *Client) error
		want string
	}{
		"a lead": {func(ctx context.Context, c *Client) error {
			lead := NewLead{Email: "a@example.com", Metadata: json.RawMessage(`{"k":1}`)}
			_, err := c.CreateLead(ctx, lead, CreateOptions{ChatbotID: "cb_1", OnDuplicate: "update"})
			return err
		},
			`POST /api/v1/chatbots/cb_1/leads?onDuplicate=update application/json {"email":"a@example.com","metadata":{"k":1}}`},
		"a list": {func(ctx context.Context, c *Client) error {
			_, err := c.ListLeads(ctx, LeadFilter{Status: "new", Metadata: map[string]string{"k": "v"}}, 5, "next")
			return err
		}, `GET /api/v1/leads?cursor=next&limit=5&metadata.k=v&status=new  `},
		"changes": {func(ctx context.Context, c *Client) error {
			_, err := c.LeadsSince(ctx, "2026-01-15T10:30:00Z", 7)
			return err
		}, "GET /api/v1/leads?limit=7&since=2026-01-15T10%3A30%3A00Z  "},
		"a file": {func(ctx context.Context, c *Client) error {
			_, err := c.UploadImport(ctx, strings.NewReader("email\n"), 6, ImportOptions{Source: "web", NoEvents: true})
			return err
		}, "POST /api/v1/imports?events=false&source=web application/octet-stream email\n"},
		"an empty file": {func(ctx context.Context, c *Client) error {
			_, err := c.UploadImport(ctx, strings.NewReader(""), 0, ImportOptions{Format: "ndjson"})
			return err
		}, "POST /api/v1/imports?format=ndjson application/octet-stream "},
		"deliveries": {func(ctx context.Context, c *Client) error {
			_, err := c.ListDeliveries(ctx, "ep_1", "pending", 0, "")
			return err
		}, "GET /api/v1/webhooks/ep_1/deliveries?state=pending  "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Content-Type") + " " + string(body)
				if r.Header.Get("Authorization") != "Bearer sk" {
					t.Errorf("Authorization = %q", r.Header.Get("Authorization"))
				}
				io.WriteString(w, `{"data":null}`)
			})
			if err := tc.do(t.Context(), mustClient(t, Options{URL: url + "/", Key: "sk"})); err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("sent %q, want %q", got, tc.want)
			}
		})
	}
}
