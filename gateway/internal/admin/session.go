package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"leadgate/shared/admintoken"
	"leadgate/shared/config"
)

const (
	cookieName = "leadgate_admin"
	cookieLife = 12 * time.Hour
)

// sessionAuth authenticates operators by an admin token or by a session. A session is a signed expiry in a cookie, and
// the server keeps nothing of it: it is valid on every gateway that has the token it was opened with, and ends when
// that is taken out of the setting; a logout only removes the cookie from the browser.
type sessionAuth struct {
	guard       *admintoken.Guard
	signingKeys [][]byte // of each token
	now         func() time.Time
	trusted     []netip.Prefix // proxies in front
}

func newSessionAuth(tokens config.Secret, now func() time.Time, trusted []netip.Prefix) *sessionAuth {
	a := &sessionAuth{guard: admintoken.New(tokens.Reveal(), now), now: now, trusted: trusted}
	for _, token := range strings.Fields(tokens.Reveal()) {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("leadgate admin session"))
		a.signingKeys = append(a.signingKeys, mac.Sum(nil))
	}
	return a
}

// authenticate returns nil for a request with a session or a token, and otherwise UNAUTHORIZED or RATE_LIMITED.
func (a *sessionAuth) authenticate(r *http.Request) error {
	if c, err := r.Cookie(cookieName); err == nil && len(r.Header["Authorization"]) <= 1 && a.valid(c.Value) {
		return nil
	}
	return a.guard.Request(r)
}

// cookie returns the cookie of a session that one of the tokens opens.
func (a *sessionAuth) cookie(r *http.Request, token int) *http.Cookie {
	until := a.now().Add(cookieLife)
	return &http.Cookie{
		Name: cookieName, Value: sign(until, a.signingKeys[token]), Path: "/", Expires: until, MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: a.overTLS(r),
	}
}

// expiredCookie returns the cookie that ends a session.
func (a *sessionAuth) expiredCookie(r *http.Request) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: a.overTLS(r),
	}
}

// overTLS reports whether the client spoke TLS, to this listener or to the trusted proxy in front of it.
func (a *sessionAuth) overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	known := func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap().WithZone("")) }
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return err == nil && slices.ContainsFunc(a.trusted, known) && strings.EqualFold(strings.TrimSpace(proto), "https")
}

// sign returns the base64 of the expiry, as eight bytes of Unix seconds, followed by its HMAC-SHA256.
func sign(until time.Time, key []byte) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(text))
}

// valid reports whether a cookie's value was signed here and has not expired.
func (a *sessionAuth) valid(cookie string) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(text) != 8+sha256.Size {
		return false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(text)), 0)
	signed := func(key []byte) bool { return hmac.Equal([]byte(cookie), []byte(sign(until, key))) }
	return slices.ContainsFunc(a.signingKeys, signed) && a.now().Before(until)
}
