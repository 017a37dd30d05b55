package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
)

// onlyReads refuses whatever may write.
func onlyReads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			next.ServeHTTP(w, r)
		default:
			httpx.Fail(w, r, httpx.OnlyReads())
		}
	})
}
