package pg

import (
	"context"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// How long a plan is kept: Postgres makes it for the tables as they are, and on a fresh installation they grow a thousandfold in a minute.
const (
	firstLife = time.Second // of a statement's first plan; each next one lives twice as long
	lastLife  = time.Minute // at most; after so long without use it begins anew
)

// plans are the hot statements, prepared once for the pool: they are long, and planning them each time costs more than running them.
type plans struct {
	mu  sync.Mutex
	all map[string]*plan
}

type plan struct {
	stmt       *sqlx.Stmt
	made, used time.Time
	life       time.Duration
	renewing   bool
}

// prepared returns query's statement. Whoever finds it too old prepares it anew, while others go on with the old one.
func (db *DB) prepared(ctx context.Context, query string) (*sqlx.Stmt, error) {
	now := time.Now()
	life := firstLife
	db.plans.mu.Lock()
	p := db.plans.all[query]
	if p != nil {
		idle := now.Sub(p.used)
		p.used = now
		if p.renewing || idle < lastLife && now.Sub(p.made) < p.life {
			db.plans.mu.Unlock()
			return p.stmt, nil
		}
		p.renewing = true
		if idle < lastLife {
			life = min(2*p.life, lastLife)
		}
	}
	db.plans.mu.Unlock()
	stmt, err := db.PreparexContext(ctx, query)
	db.plans.mu.Lock()
	defer db.plans.mu.Unlock()
	if err != nil {
		if p != nil {
			p.renewing = false
		}
		return nil, err
	}
	if first := db.plans.all[query]; first != p { // somebody else was the first
		defer stmt.Close()
		return first.stmt, nil
	}
	if p != nil {
		time.AfterFunc(lastLife, func() { p.stmt.Close() }) // nobody uses it any more by then
	}
	if db.plans.all == nil {
		db.plans.all = map[string]*plan{}
	}
	db.plans.all[query] = &plan{stmt: stmt, made: now, used: now, life: life}
	return stmt, nil
}
