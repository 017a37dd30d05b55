package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/netip"
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

// guesses is how many wrong tokens one address may send: ten at once, then one a second.
func guesses() limit.Rate { return limit.NewRate(1, time.Second, 10) }

// door knows the admin token and who has shown it. A session is a signed expiry in a cookie and nothing on the server:
// it holds on every gateway with the same token, ends with a new token, and a logout only makes the browser forget it.
type door struct {
	token [sha256.Size]byte
	seal  []byte
	now   func() time.Time

	mu    sync.Mutex
	wrong map[netip.Addr]time.Time // GCRA state of addresses that guessed wrong
}

func newDoor(token config.Secret, now func() time.Time) *door {
	mac := hmac.New(sha256.New, []byte(token.Reveal()))
	mac.Write([]byte("leadgate admin session"))
	return &door{token: sha256.Sum256([]byte(token.Reveal())), seal: mac.Sum(nil), now: now, wrong: map[netip.Addr]time.Time{}}
}

// admit returns nil for a request with a session or the token, and else UNAUTHORIZED or RATE_LIMITED.
func (d *door) admit(r *http.Request) error {
	if c, err := r.Cookie(cookieName); err == nil && d.valid(c.Value) {
		return nil
	}
	token, given := credential(r)
	if !given {
		return fault.New(fault.Unauthorized, "The admin token is required")
	}
	return d.try(r.RemoteAddr, token)
}

// credential is the token of a Bearer header, or the password of a Basic one; the user name does not matter.
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

// try compares token in constant time, unless its sender has guessed wrong too often: then the right one waits as well, or guessing would go on.
func (d *door) try(remote, token string) error {
	sum := sha256.Sum256([]byte(token))
	from := address(remote)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	key := d.slot(from, now)
	verdict, next := guesses().Decide(d.wrong[key], now)
	if verdict.Limited {
		return &fault.Error{Kind: fault.RateLimited, Public: "Too many wrong tokens, please wait", RetryAfter: verdict.RetryAfter}
	}
	if subtle.ConstantTimeCompare(sum[:], d.token[:]) == 1 {
		return nil
	}
	d.wrong[key] = next
	return fault.New(fault.Unauthorized, "The admin token is wrong")
}

// slot bounds the addresses remembered; when all are busy guessing, newcomers share one.
func (d *door) slot(from netip.Addr, now time.Time) netip.Addr {
	if _, known := d.wrong[from]; known || len(d.wrong) < maxAddresses {
		return from
	}
	for a, until := range d.wrong {
		if until.Before(now) {
			delete(d.wrong, a)
		}
	}
	if len(d.wrong) < maxAddresses {
		return from
	}
	return netip.Addr{}
}

// address is who a connection comes from: an IPv4 address, or the /64 that one IPv6 subscriber has.
func address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap()
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.Addr()
	}
	return a
}

// session makes the cookie of one who has shown the token.
func (d *door) session(r *http.Request) *http.Cookie {
	until := d.now().Add(cookieLife)
	return &http.Cookie{
		Name: cookieName, Value: d.sign(until), Path: "/", Expires: until, MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	}
}

// forget makes the cookie that ends a session.
func forget(r *http.Request) *http.Cookie {
	return &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil}
}

// sign is base64 of eight bytes of expiry, Unix seconds, and their HMAC-SHA256.
func (d *door) sign(until time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	mac := hmac.New(sha256.New, d.seal)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(text))
}

func (d *door) valid(cookie string) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(text) != 8+sha256.Size {
		return false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(text)), 0)
	return hmac.Equal([]byte(cookie), []byte(d.sign(until))) && d.now().Before(until)
}
