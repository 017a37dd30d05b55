// Package admintoken says who is an operator: whoever has one of the tokens of the setting, which is that of the admin
// listener or of a worker.
package admintoken

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/limit"
)

// Bounds of the setting, and of the memory of wrong tokens.
const (
	minLength    = 16 // characters
	maxTokens    = 8
	maxAddresses = 1024
)

// wrongTokens is how many wrong tokens one address may send: ten at once, then one a second.
func wrongTokens() limit.Rate { return limit.NewRate(1, time.Second, 10) }

// Check returns what is wrong with the setting's text, which is several tokens between white space while they are
// changed; "" when nothing is. It never repeats a token.
func Check(text string) string {
	tokens := strings.Fields(text)
	if len(tokens) > maxTokens {
		return fmt.Sprintf("must be at most %d tokens", maxTokens)
	}
	for _, token := range tokens {
		if isCommand(token) {
			return "is a command that no shell has run; put in what it prints"
		}
	}
	for _, token := range tokens {
		if len(token) < minLength {
			return fmt.Sprintf("must have at least %d characters, of each token where there are several", minLength)
		}
	}
	if len(tokens) == 0 {
		return fmt.Sprintf("must have at least %d characters", minLength)
	}
	return ""
}

// isCommand reports whether a value is shell text, such as $(openssl rand -hex 24): a file of settings is read by no
// shell, and everybody who has read the manual would know such a token.
func isCommand(value string) bool {
	return strings.HasPrefix(value, "$(") || strings.HasPrefix(value, "${") || strings.HasPrefix(value, "`")
}

// Guard compares tokens with those of the setting, and slows down who guesses.
type Guard struct {
	tokens [][sha256.Size]byte // SHA-256
	now    func() time.Time

	mu      sync.Mutex
	guesses map[netip.Addr]time.Time // GCRA state of the addresses that sent a wrong token
}

// New returns a Guard of the setting's text, which Check has accepted.
func New(text string, now func() time.Time) *Guard {
	g := &Guard{now: now, guesses: map[netip.Addr]time.Time{}}
	for _, token := range strings.Fields(text) {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(token)))
	}
	return g
}

// Request returns nil for a request with one of the tokens, and otherwise UNAUTHORIZED or RATE_LIMITED.
func (g *Guard) Request(r *http.Request) error {
	if len(r.Header["Authorization"]) > 1 { // a proxy in front may have checked another of them
		return fault.New(fault.Unauthorized, "The Authorization header must be sent once: the request has several")
	}
	token, given := Credential(r)
	if !given {
		return fault.New(fault.Unauthorized, "The admin token is required")
	}
	_, err := g.Token(r.RemoteAddr, token)
	return err
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
func (g *Guard) Token(remote, token string) (which int, err error) {
	sum := sha256.Sum256([]byte(token))
	from := address(remote)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	key := g.guessKey(from, now)
	verdict, next := wrongTokens().Decide(g.guesses[key], now)
	if verdict.Limited {
		return -1, &fault.Error{
			Kind: fault.RateLimited, Public: "Too many wrong tokens, please wait", RetryAfter: verdict.RetryAfter,
		}
	}
	which = -1
	for i := range g.tokens {
		if subtle.ConstantTimeCompare(sum[:], g.tokens[i][:]) == 1 {
			which = i
		}
	}
	if which >= 0 {
		return which, nil
	}
	g.guesses[key] = next
	return -1, fault.New(fault.Unauthorized, "The admin token is wrong")
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
