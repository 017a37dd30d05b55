package conn

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// How long a plan is kept. Postgres plans for the tables as they are, and on a fresh installation they grow a
// thousandfold in a minute.
const (
	minPlanAge = time.Second // of a statement's first plan; each next one lives twice as long
	maxPlanAge = time.Minute // after so long without use it begins anew
)

// cache holds the hot statements, prepared once for the pool: they are long, and planning them each time costs more
// than running them.
type cache struct {
	mu  sync.Mutex
	all map[string]*plan
}

type plan struct {
	stmt           *sqlx.Stmt
	made, lastUsed time.Time
	maxAge         time.Duration
	renewing       bool
}

// prepare returns query's statement. Whoever finds it too old prepares it anew, while others go on with the old one.
func (p *Pool) prepare(ctx context.Context, query string) (*sqlx.Stmt, error) {
	c, now := &p.cache, time.Now()
	maxAge := minPlanAge
	c.mu.Lock()
	old := c.all[query]
	if old != nil {
		idle := now.Sub(old.lastUsed)
		old.lastUsed = now
		if old.renewing || idle < maxPlanAge && now.Sub(old.made) < old.maxAge {
			c.mu.Unlock()
			return old.stmt, nil
		}
		old.renewing = true
		if idle < maxPlanAge {
			maxAge = min(2*old.maxAge, maxPlanAge)
		}
	}
	c.mu.Unlock()
	// A pooler has one statement for each text, whoever prepares it: it is another text each time.
	stmt, err := p.PreparexContext(ctx, fmt.Sprintf("%s /* %d */", query, now.Unix()))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if old != nil {
			old.renewing = false
		}
		return nil, err
	}
	if first := c.all[query]; first != old { // somebody else was faster
		defer stmt.Close()
		return first.stmt, nil
	}
	if old != nil {
		time.AfterFunc(maxPlanAge, func() { old.stmt.Close() }) // nobody uses it any more by then
	}
	if c.all == nil {
		c.all = map[string]*plan{}
	}
	c.all[query] = &plan{stmt: stmt, made: now, lastUsed: now, maxAge: maxAge}
	return stmt, nil
}

// Prepared runs statements outside of transactions, each prepared once for the pool.
type Prepared struct{ pool *Pool }

// Prepared returns p as a Queryer and Execer of hot statements.
func (p *Pool) Prepared() Prepared { return Prepared{p} }

// QueryContext runs a statement that returns rows.
func (p Prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if p.pool.unprepared {
		return p.pool.QueryContext(ctx, query, args...)
	}
	stmt, err := p.pool.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// ExecContext runs a statement without rows.
func (p Prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if p.pool.unprepared {
		return p.pool.ExecContext(ctx, query, args...)
	}
	stmt, err := p.pool.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// Statements are hot statements for use in a transaction.
type Statements map[string]*sqlx.Stmt

// Prepare prepares statements before a transaction begins: inside it, that would need a second connection.
func (p *Pool) Prepare(ctx context.Context, queries ...string) (Statements, error) {
	all := make(Statements, len(queries))
	if p.unprepared {
		return all, nil
	}
	for _, query := range queries {
		stmt, err := p.prepare(ctx, query)
		if err != nil {
			return nil, Fail(ctx, "prepare statement", err)
		}
		all[query] = stmt
	}
	return all, nil
}

// In returns the transaction as a Queryer that runs the prepared statements as such, and any other statement as tx
// does.
func (s Statements) In(tx *sqlx.Tx) Queryer { return preparedTx{tx, s} }

type preparedTx struct {
	tx  *sqlx.Tx
	all Statements
}

func (p preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt, ok := p.all[query]; ok {
		return p.tx.StmtxContext(ctx, stmt).QueryContext(ctx, args...)
	}
	return p.tx.QueryContext(ctx, query, args...)
}
