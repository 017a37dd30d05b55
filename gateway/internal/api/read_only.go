package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
)

// onlyReads refuses whatever may write. It is a 503, because a lead that came to the wrong gateway is to be sent again,
// and a client gives up after a 403.
func onlyReads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			next.ServeHTTP(w, r)
		default:
			httpx.Fail(w, r, &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Minute,
				Public: "This gateway only reads, and nothing was stored: send it to one that writes"})
		}
	})
}
