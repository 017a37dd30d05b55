package pg

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// prepared returns query prepared once for the pool: the hot statements are long, and planning them each time costs more than running them.
func (db *DB) prepared(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if s, ok := db.stmts.Load(query); ok {
		return s.(*sqlx.Stmt), nil
	}
	s, err := db.PreparexContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, raced := db.stmts.LoadOrStore(query, s); raced {
		s.Close()
		return first.(*sqlx.Stmt), nil
	}
	return s, nil
}
