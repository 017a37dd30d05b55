// Package auth is authentication: it finds out whom a request acts for, by its key or by its console session, and
// whether a chatbot belongs to that workspace.
package auth

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

const (
	keyTTL        = 900 * time.Millisecond // every gateway follows a revocation within a second
	chatbotTTL    = time.Minute
	noChatbotTTL  = time.Second // a new chatbot works soon
	touchInterval = 30 * time.Second
	touchTimeout  = 5 * time.Second
)

// Deps of New.
type Deps struct {
	DB      *pg.DB
	Contact string           // whom the owner of a suspended workspace can ask; "": nobody is named
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: slog.Default
}

// Auth looks keys and chatbots up and caches them for a short while.
type Auth struct {
	db       *pg.DB
	contact  string
	now      func() time.Time
	log      *slog.Logger
	keys     cache[[32]byte, *tenant.Principal]
	sessions cache[[32]byte, *visit]
	chatbots cache[chatbotKey, struct{}]
	toucher  *lifecycle.Loop

	mu       sync.Mutex
	used     map[id.UUID]tenant.KeyUse // last-used times that are not written yet
	versions map[id.UUID]int64         // the newest Settings.ChatbotsVersion seen of each workspace that has deleted any
}

// chatbotKey holds the workspace's ChatbotsVersion: when that changes, what is cached under the old one is not found
// any more.
type chatbotKey struct {
	workspace, chatbot id.UUID
	version            int64
}

// New makes an Auth. It can be asked at once; Start only adds the writing of last-used times.
func New(d Deps) *Auth {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	a := &Auth{db: d.DB, contact: d.Contact, now: d.Now, log: d.Log, used: map[id.UUID]tenant.KeyUse{},
		versions: map[id.UUID]int64{}}
	a.toucher = lifecycle.Every(touchInterval, func(ctx context.Context) { a.touch(context.WithoutCancel(ctx)) })
	byHash := func(hash [32]byte) string { return string(hash[:]) }
	a.keys = cache[[32]byte, *tenant.Principal]{
		now: d.Now, load: a.loadKey, foundTTL: keyTTL, noneTTL: keyTTL, name: byHash,
	}
	a.sessions = cache[[32]byte, *visit]{
		now: d.Now, load: a.loadSession, foundTTL: keyTTL, noneTTL: keyTTL, name: byHash,
	}
	a.chatbots = cache[chatbotKey, struct{}]{
		now: d.Now, load: a.loadChatbot, foundTTL: chatbotTTL, noneTTL: noChatbotTTL,
		name: func(k chatbotKey) string {
			return string(k.workspace[:]) + string(k.chatbot[:]) + strconv.FormatInt(k.version, 10)
		},
	}
	return a
}

// ErrUnknownKey is what Principal returns of a well-formed key that opens nothing.
var ErrUnknownKey = fault.New(fault.Unauthorized, "The API key is not valid: it is unknown, expired or revoked")

// Principal returns whom r acts for, by its Bearer key. UNAUTHORIZED says what is wrong with the key, WORKSPACE_SUSPENDED
// that its workspace is; UNAVAILABLE means that Postgres cannot be asked. Meanwhile a key that was live within the last minute keeps working, so that duplicates
// are still answered; a key that is known to be revoked or expired does not. A key that this process has not seen at
// work costs a look-up: admit can refuse that.
func (a *Auth) Principal(ctx context.Context, r *http.Request, admit func() error) (*tenant.Principal, error) {
	secret, err := bearer(r)
	if err != nil {
		return nil, err
	}
	hash, ok := tenant.HashSecret(secret)
	if !ok {
		return nil, fault.New(fault.Unauthorized, "The API key is malformed: it is mistyped or incomplete")
	}
	if e, ok := a.keys.peek(hash); !ok || !e.found {
		if err := admit(); err != nil {
			return nil, err
		}
	}
	p, found, err := a.keys.get(ctx, hash)
	if err != nil {
		return nil, err
	}
	if !found || p.ExpiresAt != nil && !a.now().Before(*p.ExpiresAt) {
		return nil, ErrUnknownKey
	}
	if p.SuspendedAt != nil {
		return nil, a.suspended(p)
	}
	return p, nil
}

// bearer returns the secret of the Authorization header; its scheme is case-insensitive (RFC 9110, 11.1). Of several
// headers a proxy in front may have checked another one, so none counts.
func bearer(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	if len(r.Header["Authorization"]) > 1 {
		return "", fault.New(fault.Unauthorized, "The Authorization header must be sent once: the request has several")
	}
	if header == "" {
		return "", fault.New(fault.Unauthorized, "API key missing: send it as Authorization: Bearer sk-workspace_...")
	}
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", fault.New(fault.Unauthorized, "The Authorization header must be: Bearer sk-workspace_...")
	}
	return strings.Trim(secret, " "), nil
}

func (a *Auth) loadKey(ctx context.Context, hash [32]byte) (*tenant.Principal, bool, error) {
	now := a.now()
	p, err := a.db.PrincipalByHash(ctx, hash, now)
	if fault.Is(err, fault.Unauthorized) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	a.recordUse(&p, now)
	return &p, true, nil
}

// recordUse notes what was looked up. A key in use is looked up about every second, so its use is recorded here, and a
// cached answer costs nothing.
func (a *Auth) recordUse(p *tenant.Principal, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := p.Settings.ChatbotsVersion; n > a.versions[p.WorkspaceID] {
		a.versions[p.WorkspaceID] = n
	}
	if len(a.used) < maxEntries && p.KeyID != (id.UUID{}) {
		a.used[p.KeyID] = tenant.KeyUse{WorkspaceID: p.WorkspaceID, KeyID: p.KeyID, At: now}
	}
}

// Chatbot returns CHATBOT_NOT_FOUND unless the workspace has the chatbot. A new chatbot may take a second to be found,
// and a deleted one a second to disappear: for so long the settings that hold the ChatbotsVersion are cached with a
// key.
func (a *Auth) Chatbot(ctx context.Context, workspace, chatbot id.UUID) error {
	a.mu.Lock()
	version := a.versions[workspace]
	a.mu.Unlock()
	_, found, err := a.chatbots.get(ctx, chatbotKey{workspace, chatbot, version})
	if err == nil && !found {
		return fault.New(fault.ChatbotNotFound, "Chatbot not found in your workspace")
	}
	return err
}

func (a *Auth) loadChatbot(ctx context.Context, k chatbotKey) (struct{}, bool, error) {
	found, err := a.db.ChatbotExists(ctx, k.workspace, k.chatbot)
	return struct{}{}, found, err
}

// Start begins to write last-used times, every 30 seconds.
func (a *Auth) Start() { a.toucher.Start() }

// Stop writes the last-used times that are left.
func (a *Auth) Stop(ctx context.Context) error {
	a.toucher.Stop()
	a.touch(ctx)
	return nil
}

// touch writes the last-used times since the last call; those that cannot be written wait for the next.
func (a *Auth) touch(ctx context.Context) {
	a.mu.Lock()
	used := a.used
	a.used = map[id.UUID]tenant.KeyUse{}
	a.mu.Unlock()
	if len(used) == 0 {
		return
	}
	uses := make([]tenant.KeyUse, 0, len(used))
	for _, u := range used {
		uses = append(uses, u)
	}
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	err := a.db.TouchKeys(ctx, uses)
	if err == nil {
		return
	}
	a.log.Warn("write last-used times failed", "keys", len(uses), "error", err.Error())
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, u := range used {
		if _, newer := a.used[k]; !newer && len(a.used) < maxEntries {
			a.used[k] = u
		}
	}
}
