// Package auth says whom a request acts for: key to principal, and whether a chatbot is theirs.
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
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

const (
	keyTTL        = 900 * time.Millisecond // so that a revocation counts within a second on every gateway
	chatbotTTL    = time.Minute
	noChatbotTTL  = time.Second // a chatbot just made works soon
	touchInterval = 30 * time.Second
	touchTimeout  = 5 * time.Second
)

// Deps of New.
type Deps struct {
	DB  *pg.DB
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default
}

// Auth knows keys and chatbots for a short while.
type Auth struct {
	db       *pg.DB
	now      func() time.Time
	log      *slog.Logger
	keys     cache[[32]byte, *tenant.Principal]
	chatbots cache[chatbotKey, struct{}]

	mu     sync.Mutex
	used   map[id.UUID]tenant.KeyUse // not yet written
	gone   map[id.UUID]int64         // Settings.ChatbotsGone of workspaces that have deleted any, as last seen
	begin  sync.Once
	end    sync.Once
	quit   chan struct{}
	ticker sync.WaitGroup
}

// chatbotKey holds how many chatbots its workspace had deleted: after another one, what is remembered is not found any more.
type chatbotKey struct {
	workspace, chatbot id.UUID
	gone               int64
}

// New makes an Auth; it answers at once, Start only adds the writing of last-used times.
func New(d Deps) *Auth {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	a := &Auth{db: d.DB, now: d.Now, log: d.Log, used: map[id.UUID]tenant.KeyUse{}, gone: map[id.UUID]int64{}, quit: make(chan struct{})}
	a.keys = cache[[32]byte, *tenant.Principal]{
		now: d.Now, load: a.loadKey, foundTTL: keyTTL, noneTTL: keyTTL,
		name: func(hash [32]byte) string { return string(hash[:]) },
	}
	a.chatbots = cache[chatbotKey, struct{}]{
		now: d.Now, load: a.loadChatbot, foundTTL: chatbotTTL, noneTTL: noChatbotTTL,
		name: func(k chatbotKey) string {
			return string(k.workspace[:]) + string(k.chatbot[:]) + strconv.FormatInt(k.gone, 10)
		},
	}
	return a
}

// Principal returns whom r acts for, by its Bearer key. UNAUTHORIZED says what is wrong with the key;
// UNAVAILABLE means that Postgres cannot tell. While it cannot, a key seen live in the last minute goes on working,
// so that duplicates are still answered; a key known to be revoked or past its expiry does not.
func (a *Auth) Principal(ctx context.Context, r *http.Request) (*tenant.Principal, error) {
	secret, err := bearer(r)
	if err != nil {
		return nil, err
	}
	hash, ok := tenant.HashSecret(secret)
	if !ok {
		return nil, fault.New(fault.Unauthorized, "The API key is malformed: it is mistyped or incomplete")
	}
	p, found, err := a.keys.get(ctx, hash)
	if err != nil {
		return nil, err
	}
	if !found || p.ExpiresAt != nil && !a.now().Before(*p.ExpiresAt) {
		return nil, fault.New(fault.Unauthorized, "The API key is not valid: it is unknown, expired or revoked")
	}
	return p, nil
}

// bearer returns the secret of the Authorization header; its scheme is case-insensitive (RFC 9110, 11.1).
func bearer(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
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
	// A key in use is looked up all the time, so this is where its use shows, and a cached answer costs nothing.
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := p.Settings.ChatbotsVersion; n > a.gone[p.WorkspaceID] {
		a.gone[p.WorkspaceID] = n
	}
	if len(a.used) < maxEntries {
		a.used[p.KeyID] = tenant.KeyUse{WorkspaceID: p.WorkspaceID, KeyID: p.KeyID, At: now}
	}
	return &p, true, nil
}

// Chatbot returns CHATBOT_NOT_FOUND unless the workspace has the chatbot. A new one may take a second to be seen, and a deleted one to be gone:
// so long a key of its workspace is remembered, which tells that chatbots were deleted.
func (a *Auth) Chatbot(ctx context.Context, workspace, chatbot id.UUID) error {
	a.mu.Lock()
	gone := a.gone[workspace]
	a.mu.Unlock()
	_, found, err := a.chatbots.get(ctx, chatbotKey{workspace, chatbot, gone})
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
func (a *Auth) Start() {
	a.begin.Do(func() {
		a.ticker.Go(func() {
			t := time.NewTicker(touchInterval)
			defer t.Stop()
			for {
				select {
				case <-t.C:
					a.touch(context.Background())
				case <-a.quit:
					return
				}
			}
		})
	})
}

// Stop writes the last-used times that are left and returns; again it only waits.
func (a *Auth) Stop(ctx context.Context) error {
	a.end.Do(func() { close(a.quit) })
	a.ticker.Wait()
	a.touch(ctx)
	return nil
}

// touch writes what was used since the last time; what cannot be written waits for the next.
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
	a.log.Warn("last-used times not written", "keys", len(uses), "error", err.Error())
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, u := range used {
		if _, newer := a.used[k]; !newer && len(a.used) < maxEntries {
			a.used[k] = u
		}
	}
}
