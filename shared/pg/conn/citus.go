package conn

import (
	"context"
	"database/sql/driver"
	"regexp"
)

// Where Citus spreads the tables over the nodes of a cluster, a few statements need another form: see CITUS.md of
// package pg. Each connection asks at its start whether it is one to such a cluster.
const askCitus = `select to_regclass('pg_catalog.pg_dist_partition') is not null`

// Either is a part of a statement that is one text on Postgres and another on Citus: the latter is a comment to
// Postgres.
func Either(postgres, citus string) string { return `/*!*/` + postgres + `/*!citus ` + citus + `*/` }

var (
	either = regexp.MustCompile(`(?s)/\*!\*/.*?/\*!citus (.*?)\*/`)
	// A workspace behind a subquery, which keeps Postgres from guessing its size, keeps Citus from finding its node.
	fenced = regexp.MustCompile(`\(select (\$\d+::uuid)\)`)
	// Citus does not know the type of a row without columns.
	columnless = regexp.MustCompile(`(^|\()\s*select(\s+from\s)`)
)

// forCitus is a statement as Citus takes it.
func forCitus(statement string) string {
	statement = either.ReplaceAllString(statement, "$1")
	statement = fenced.ReplaceAllString(statement, "$1")
	return columnless.ReplaceAllString(statement, "${1}select 1$2")
}

// askWhetherCitus asks the server of a new connection.
func (c *driverConn) askWhetherCitus(ctx context.Context) error {
	rows, err := c.pqConn.QueryContext(ctx, askCitus, nil)
	if err != nil {
		return err
	}
	row := make([]driver.Value, 1)
	if err = rows.Next(row); err == nil {
		c.citus, _ = row[0].(bool)
	}
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return err
}

// form is a statement as the server takes it.
func (c *driverConn) form(statement string) string {
	if c.citus {
		return forCitus(statement)
	}
	return statement
}

// QueryContext implements driver.QueryerContext.
func (c *driverConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.pqConn.QueryContext(ctx, c.form(query), args)
}

// ExecContext implements driver.ExecerContext.
func (c *driverConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.pqConn.ExecContext(ctx, c.form(query), args)
}

// OnCitus reports whether the newest connection is one to a Citus cluster; a pool that has had none yet makes one.
func (p *Pool) OnCitus(ctx context.Context) (bool, error) {
	if p.kind.Load() == kindUnknown {
		if err := p.PingContext(ctx); err != nil {
			return false, Fail(ctx, "connect", err)
		}
	}
	return p.kind.Load() == kindCitus, nil
}

// What a pool knows of its server.
const (
	kindUnknown int32 = iota
	kindPostgres
	kindCitus
)
