package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/netip"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/admintoken"
)

const (
	cookieName = "leadgate_admin"
	cookieLife = 12 * time.Hour
)

// sessionAuth authenticates operators by an admin token or by a session. A session is a signed expiry in a cookie, and
// the server keeps nothing of it: it is valid on every gateway that has the token it was opened with, and ends when
// that is taken out of the setting; a logout only removes the cookie from the browser.
type sessionAuth struct {
	guard   *admintoken.Guard
	now     func() time.Time
	trusted []netip.Prefix // proxies in front
}

// authenticate returns the name of the administrator of a request with a session or a token, and otherwise UNAUTHORIZED
// or RATE_LIMITED.
func (a *sessionAuth) authenticate(r *http.Request) (name string, err error) {
	if c, err := r.Cookie(cookieName); err == nil && len(r.Header["Authorization"]) <= 1 {
		if name = a.opener(c.Value); name != "" {
			return name, nil
		}
	}
	token, err := a.guard.Request(r)
	return token.Name, err
}

// cookie returns the cookie of a session that a token opens.
func (a *sessionAuth) cookie(r *http.Request, token admintoken.Token) *http.Cookie {
	until := a.now().Add(cookieLife)
	return &http.Cookie{
		Name: cookieName, Value: sign(until, token.SessionKey), Path: "/", Expires: until, MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: httpx.OverTLS(r, a.trusted),
	}
}

// expiredCookie returns the cookie that ends a session.
func (a *sessionAuth) expiredCookie(r *http.Request) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: httpx.OverTLS(r, a.trusted),
	}
}

// sign returns the base64 of the expiry, as eight bytes of Unix seconds, followed by its HMAC-SHA256.
func sign(until time.Time, key []byte) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(text))
}

// opener returns whose token opened the session of a cookie's value; "" when it was not signed here, has expired, or the
// token is none any more.
func (a *sessionAuth) opener(cookie string) string {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(text) != 8+sha256.Size {
		return ""
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(text)), 0)
	if !a.now().Before(until) {
		return ""
	}
	for _, token := range a.guard.Tokens() {
		if hmac.Equal([]byte(cookie), []byte(sign(until, token.SessionKey))) {
			return token.Name
		}
	}
	return ""
}
