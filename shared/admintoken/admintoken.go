// Package admintoken says who is an operator: whoever has one of the tokens of the setting, which is that of the admin
// listener or of a worker.
package admintoken

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"leadgate/shared/config"
	"leadgate/shared/fault"
	"leadgate/shared/limit"
)

// Bounds of the memory of wrong tokens, and of how often the setting's file is read.
const (
	maxAddresses = 1024
	reloadEvery  = time.Second
)

// wrongTokens is how many wrong tokens one address may send: ten at once, then one a second.
func wrongTokens() limit.Rate { return limit.NewRate(1, time.Second, 10) }

// Guard compares tokens with those of the setting, and slows down who guesses. Where a file holds the setting, it is
// read again, so that a token that is taken out of it ends within a second of the next request.
type Guard struct {
	setting config.WatchedSecret
	now     func() time.Time
	log     *slog.Logger

	mu      sync.Mutex
	guesses map[netip.Addr]time.Time // GCRA state of the addresses that sent a wrong token
	tokens  []Token
	text    string    // of the setting, as it was read last; it may be invalid
	read    time.Time // when that was
	failed  bool      // it could not be read
}

// New returns a Guard of the setting, whose text Check has accepted.
func New(setting config.WatchedSecret, now func() time.Time, log *slog.Logger) *Guard {
	g := &Guard{setting: setting, now: now, log: log, guesses: map[netip.Addr]time.Time{}, text: setting.Reveal(), read: now()}
	g.tokens, _ = parse(g.text) // Check has reported its errors
	return g
}

// Tokens returns the tokens that are valid now.
func (g *Guard) Tokens() []Token {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reload()
	return g.tokens
}

// reload reads the setting again if it is old. A text that is invalid, or cannot be read, changes nothing: the tokens
// that were valid stay so. That is logged once.
func (g *Guard) reload() {
	now := g.now()
	if g.setting.File == "" || now.Sub(g.read) < reloadEvery {
		return
	}
	g.read = now
	text, err := g.setting.Current()
	if err != nil {
		if !g.failed {
			g.log.Error("admin tokens not read again", "file", g.setting.File, "error", err.Error(), "valid", "those of before")
		}
		g.failed = true
		return
	}
	g.failed = false
	if text == g.text {
		return
	}
	g.text = text
	tokens, wrong := parse(text)
	if wrong != "" {
		g.log.Error("admin tokens not changed", "file", g.setting.File, "error", wrong, "valid", "those of before")
		return
	}
	g.tokens = tokens
	names := make([]string, len(tokens))
	for i, t := range tokens {
		names[i] = t.Name
	}
	g.log.Info("admin tokens changed", "file", g.setting.File, "names", strings.Join(names, " "))
}

// Request returns the token of a request that has one of the setting's, and otherwise UNAUTHORIZED or RATE_LIMITED.
func (g *Guard) Request(r *http.Request) (Token, error) {
	if len(r.Header["Authorization"]) > 1 { // a proxy in front may have checked another of them
		return Token{}, fault.New(fault.Unauthorized, "The Authorization header must be sent once: the request has several")
	}
	token, given := Credential(r)
	if !given {
		return Token{}, fault.New(fault.Unauthorized, "The admin token is required")
	}
	return g.Token(r.RemoteAddr, token)
}

// Credential returns the token of a Bearer header or the password of a Basic one, whose user name does not matter.
// given reports whether the request has an Authorization header at all.
func Credential(r *http.Request) (token string, given bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), true
	}
	return "", r.Header.Get("Authorization") != ""
}

// Token compares token with all of the Guard's, each in constant time, and returns which it is. An address that has
// sent too many wrong tokens is refused even with a right one: otherwise the answer would tell it which guess was
// right.
func (g *Guard) Token(remote, token string) (found Token, err error) {
	sum := sha256.Sum256([]byte(token))
	from := address(remote)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reload()
	now := g.now()
	key := g.guessKey(from, now)
	verdict, next := wrongTokens().Decide(g.guesses[key], now)
	if verdict.Limited {
		return found, &fault.Error{
			Kind: fault.RateLimited, Public: "Too many wrong tokens, please wait", RetryAfter: verdict.RetryAfter,
		}
	}
	for _, t := range g.tokens {
		if subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 {
			found = t
		}
	}
	if found.Name != "" {
		return found, nil
	}
	g.guesses[key] = next
	return found, fault.New(fault.Unauthorized, "The admin token is wrong")
}

// guessKey returns the address under which wrong tokens are counted. At most maxAddresses are remembered; while all of
// them are limited, new addresses share one key.
func (g *Guard) guessKey(from netip.Addr, now time.Time) netip.Addr {
	if _, known := g.guesses[from]; known || len(g.guesses) < maxAddresses {
		return from
	}
	for addr, until := range g.guesses {
		if until.Before(now) {
			delete(g.guesses, addr)
		}
	}
	if len(g.guesses) < maxAddresses {
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
