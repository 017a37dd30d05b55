package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"leadgate/shared/config"
	"leadgate/shared/fault"
	"leadgate/shared/limit"
)

const (
	cookieName   = "leadgate_admin"
	cookieLife   = 12 * time.Hour
	maxAddresses = 1024
)

// wrongTokens is how many wrong tokens one address may send: ten at once, then one a second.
func wrongTokens() limit.Rate { return limit.NewRate(1, time.Second, 10) }

// sessionAuth authenticates operators by the admin token or by a session. A session is a signed expiry in a cookie, and
// the server keeps nothing of it: it is valid on every gateway that has the same token, a new token ends it, and a
// logout only removes the cookie from the browser.
type sessionAuth struct {
	token      [sha256.Size]byte // SHA-256 of the admin token
	signingKey []byte
	now        func() time.Time
	trusted    []netip.Prefix // proxies in front

	mu      sync.Mutex
	guesses map[netip.Addr]time.Time // GCRA state of the addresses that sent a wrong token
}

func newSessionAuth(token config.Secret, now func() time.Time, trusted []netip.Prefix) *sessionAuth {
	mac := hmac.New(sha256.New, []byte(token.Reveal()))
	mac.Write([]byte("leadgate admin session"))
	return &sessionAuth{
		token: sha256.Sum256([]byte(token.Reveal())), signingKey: mac.Sum(nil), now: now, trusted: trusted,
		guesses: map[netip.Addr]time.Time{},
	}
}

// authenticate returns nil for a request with a session or the token, and otherwise UNAUTHORIZED or RATE_LIMITED.
func (a *sessionAuth) authenticate(r *http.Request) error {
	if len(r.Header["Authorization"]) > 1 { // a proxy in front may have checked another of them
		return fault.New(fault.Unauthorized, "The Authorization header must be sent once: the request has several")
	}
	if c, err := r.Cookie(cookieName); err == nil && a.valid(c.Value) {
		return nil
	}
	token, given := credential(r)
	if !given {
		return fault.New(fault.Unauthorized, "The admin token is required")
	}
	return a.checkToken(r.RemoteAddr, token)
}

// credential returns the token of a Bearer header or the password of a Basic one, whose user name does not matter.
// given reports whether the request has an Authorization header at all.
func credential(r *http.Request) (token string, given bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), true
	}
	return "", r.Header.Get("Authorization") != ""
}

// checkToken compares token in constant time. An address that has sent too many wrong tokens is refused even with the
// right one: otherwise the answer would tell it which guess was right.
func (a *sessionAuth) checkToken(remote, token string) error {
	sum := sha256.Sum256([]byte(token))
	from := address(remote)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	key := a.guessKey(from, now)
	verdict, next := wrongTokens().Decide(a.guesses[key], now)
	if verdict.Limited {
		return &fault.Error{
			Kind: fault.RateLimited, Public: "Too many wrong tokens, please wait", RetryAfter: verdict.RetryAfter,
		}
	}
	if subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1 {
		return nil
	}
	a.guesses[key] = next
	return fault.New(fault.Unauthorized, "The admin token is wrong")
}

// guessKey returns the address under which wrong tokens are counted. At most maxAddresses are remembered; while all of
// them are limited, new addresses share one key.
func (a *sessionAuth) guessKey(from netip.Addr, now time.Time) netip.Addr {
	if _, known := a.guesses[from]; known || len(a.guesses) < maxAddresses {
		return from
	}
	for addr, until := range a.guesses {
		if until.Before(now) {
			delete(a.guesses, addr)
		}
	}
	if len(a.guesses) < maxAddresses {
		return from
	}
	return netip.Addr{}
}

// address returns whom a connection comes from: an IPv4 address, or the /64 network that one IPv6 subscriber has.
func address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap()
	if addr.Is6() {
		p, _ := addr.WithZone("").Prefix(64)
		return p.Addr()
	}
	return addr
}

// cookie returns the cookie of a new session.
func (a *sessionAuth) cookie(r *http.Request) *http.Cookie {
	until := a.now().Add(cookieLife)
	return &http.Cookie{
		Name: cookieName, Value: a.sign(until), Path: "/", Expires: until, MaxAge: int(cookieLife.Seconds()),
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
func (a *sessionAuth) sign(until time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	mac := hmac.New(sha256.New, a.signingKey)
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
	return hmac.Equal([]byte(cookie), []byte(a.sign(until))) && a.now().Before(until)
}
