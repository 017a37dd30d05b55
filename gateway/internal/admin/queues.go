package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/task"
)

const (
	queuesPath = "/admin/queues"
	maxResult  = 1000 // characters of a task's result that are shown

	// The dashboard has inline scripts and styles.
	queuesPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

// sharedConn lends the gateway's own client where asynq would open pools of its own. It is never closed through asynq.
type sharedConn struct{ redis.UniversalClient }

func (c sharedConn) MakeRedisClient() any { return c.UniversalClient }

// queues is asynqmon. Unless writable, its UI offers no actions and its API answers 405 to them.
func (s *server) queues(writable bool) http.Handler {
	mon := asynqmon.New(asynqmon.Options{
		RootPath: queuesPath, RedisConnOpt: sharedConn{s.redis}, ReadOnly: !writable,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(s.showPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(showResult),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", queuesPolicy)
		h.Set("Referrer-Policy", "same-origin")
		_, static := strings.CutPrefix(r.URL.Path, queuesPath+"/static/")
		if static {
			h.Set("Cache-Control", "private, max-age=31536000, immutable") // their names hold a hash
		}
		asked := strings.HasPrefix(r.URL.Path, queuesPath+"/api/")
		if static || !asked && path.Ext(r.URL.Path) != "" {
			mon.ServeHTTP(w, r)
			return
		}
		page := &kept{ResponseWriter: w, status: http.StatusOK}
		mon.ServeHTTP(page, r)
		if err := s.withoutRedis(page.status); err != nil {
			httpx.Fail(w, r, err)
			return
		}
		text := page.text.Bytes()
		if page.status == http.StatusOK && !asked {
			text = s.framed(text, administrator(r))
		}
		w.WriteHeader(page.status)
		_, _ = w.Write(text) // a failed write means the client has left
	})
}

// withoutRedis returns UNAVAILABLE where the dashboard fails because Redis does: it answers 500 to that, which would be
// among the server errors as a mistake of ours.
func (s *server) withoutRedis(status int) error {
	if status < http.StatusInternalServerError {
		return nil
	}
	because := problem(redisState(s.redis))
	if because == "" {
		return nil
	}
	return &fault.Error{Kind: fault.Unavailable, Public: because, RetryAfter: time.Second}
}

// kept keeps an answer instead of sending it.
type kept struct {
	http.ResponseWriter
	status int
	text   bytes.Buffer
}

func (k *kept) WriteHeader(status int)      { k.status = status }
func (k *kept) Write(b []byte) (int, error) { return k.text.Write(b) }

// fonts are what the dashboard asks others for, which its policy refuses.
var fonts = regexp.MustCompile(`<link rel="stylesheet" href="https://fonts[^>]*>`)

// framed puts the links to the other pages above the dashboard, and its style sheet behind the dashboard's own.
func (s *server) framed(page []byte, name string) []byte {
	var bar bytes.Buffer
	if err := s.pages.Part(&bar, "queues.html", "main", s.view("Queues", queuesPath, name)); err != nil {
		s.log.Error("frame the queues failed", "error", err.Error())
		return page
	}
	page = fonts.ReplaceAll(page, nil)
	page = bytes.Replace(page, []byte("</head>"), []byte(`<link rel="stylesheet" href="`+assetsPath+`queues.css"></head>`), 1)
	return bytes.Replace(page, []byte("<body>"), append([]byte("<body>"), bar.Bytes()...), 1)
}

// showPayload says what a task is for: a webhook by the name of its workspace and its host, as far as these are known. A
// payload that is no wake-up of ours is counted and not shown.
func (s *server) showPayload(_ string, payload []byte) string {
	if len(payload) == 0 {
		return "-"
	}
	key, err := task.ParseKey(payload)
	if err != nil {
		return fmt.Sprintf("%d bytes that are no wake-up", len(payload))
	}
	return s.subjects.of(key)
}

// showResult shows the line a worker left.
func showResult(_ string, result []byte) string {
	text := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, strings.ToValidUTF8(string(result), "?"))
	if cut := []rune(text); len(cut) > maxResult {
		return string(cut[:maxResult]) + "..."
	}
	return text
}

// sameSite refuses what another site's page makes a browser send here: cookies and Basic credentials go along with it.
func (s *server) sameSite(next http.Handler) http.Handler {
	check := http.NewCrossOriginProtection()
	check.SetDenyHandler(s.edge.Handle(func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.Forbidden, "Requests from another site are refused")
	}))
	return check.Handler(next)
}
