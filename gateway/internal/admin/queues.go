package admin

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/fault"
	"leadgate/shared/task"
)

const (
	queuesPath = "/admin/queues"
	maxResult  = 1000 // characters of a task's result that are shown

	// The dashboard has inline scripts and styles; the web fonts it asks for are refused, and it does without.
	queuesPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

// sharedConn lends the gateway's own client where asynq would open pools of its own. It is never closed through asynq.
type sharedConn struct{ redis.UniversalClient }

func (c sharedConn) MakeRedisClient() any { return c.UniversalClient }

// queues is asynqmon. Unless writable, its UI offers no actions and its API answers 405 to them.
func queues(c redis.UniversalClient, writable bool) http.Handler {
	mon := asynqmon.New(asynqmon.Options{
		RootPath: queuesPath, RedisConnOpt: sharedConn{c}, ReadOnly: !writable,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(showPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(showResult),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", queuesPolicy)
		h.Set("Referrer-Policy", "same-origin")
		if strings.HasPrefix(r.URL.Path, queuesPath+"/static/") {
			h.Set("Cache-Control", "private, max-age=31536000, immutable") // their names hold a hash
		}
		mon.ServeHTTP(w, r)
	})
}

// showPayload says what a task is for; a payload that is no wake-up of ours is counted and not shown.
func showPayload(_ string, payload []byte) string {
	if len(payload) == 0 {
		return "-"
	}
	key, err := task.ParseKey(payload)
	if err != nil {
		return fmt.Sprintf("%d bytes that are no wake-up", len(payload))
	}
	return key.String()
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
