package conn

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// connectionURL adds opt and the defaults to dsn, and returns the statement timeout that holds in the end.
func connectionURL(dsn string, opt Options) (u *url.URL, statementTimeout time.Duration, err error) {
	if u, err = parseURL(dsn); err != nil {
		return nil, 0, err
	}
	q := u.Query()
	set := func(key, value string) {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	if opt.StatementTimeout < 0 {
		q.Set("statement_timeout", "0")
	}
	set("sslmode", "prefer")
	set("binary_parameters", "yes")
	set("connect_timeout", "3")
	set("statement_timeout", strconv.FormatInt(opt.StatementTimeout.Milliseconds(), 10))
	if opt.StatementTimeout > 0 {
		set("idle_in_transaction_session_timeout", strconv.FormatInt(idleTimeout.Milliseconds(), 10))
	}
	if opt.ReadOnly {
		q.Set("default_transaction_read_only", "on")
		set("target_session_attrs", "any")
	}
	if opt.LockTimeout > 0 {
		set("lock_timeout", strconv.FormatInt(opt.LockTimeout.Milliseconds(), 10))
	}
	set("timezone", "UTC")
	// Compiling a statement takes longer than any of ours runs, and goes by how many rows Postgres expects by mistake.
	set("jit", "off")
	// Another level is a wrong answer: that no lead is made of a suppressed address rests on each statement seeing what
	// was committed before it.
	set("default_transaction_isolation", "read committed")
	set("fallback_application_name", opt.Application)
	ms, err := strconv.ParseInt(q.Get("statement_timeout"), 10, 32)
	if err != nil || ms < 0 {
		return nil, 0, errors.New("database URL: statement_timeout must be a number of milliseconds")
	}
	u.RawQuery = q.Encode()
	return u, time.Duration(ms) * time.Millisecond, nil
}

// parseURL refuses what looks like a password that is not percent-encoded: its end would be read as another part, and
// shown in errors.
func parseURL(dsn string) (*url.URL, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Fragment != "" ||
		u.User == nil && strings.Contains(dsn, "@") {
		return nil, errors.New("database URL: want postgres://user:password@host:port/name, " +
			"with special characters of the password percent-encoded")
	}
	return u, nil
}

// splitHosts returns a URL for each host of u. Where there are several, only one that can be written to will do, unless
// the URL says otherwise.
func splitHosts(u *url.URL) []url.URL {
	hosts := strings.Split(u.Host, ",")
	if q := u.Query(); len(hosts) > 1 && !q.Has("target_session_attrs") {
		q.Set("target_session_attrs", "read-write")
		u.RawQuery = q.Encode()
	}
	all := make([]url.URL, len(hosts))
	for i, host := range hosts {
		all[i] = *u
		all[i].Host = host
	}
	return all
}

// takeUnprepared takes the parameter prepared_statements out of u, which is ours: a pooler may keep no statements.
func takeUnprepared(u *url.URL) (unprepared bool, err error) {
	const name = "prepared_statements"
	q := u.Query()
	if !q.Has(name) {
		return false, nil
	}
	prepared, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, errors.New("database URL: prepared_statements must be true or false")
	}
	q.Del(name)
	u.RawQuery = q.Encode()
	return !prepared, nil
}
