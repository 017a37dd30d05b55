package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	_ "github.com/lib/pq"

	"leadgate/shared/id"
)

// The baselines are what leadgate is compared with, in the same run on the same Postgres:
//
//   - a prepared INSERT of one row, without HTTP
//   - a bare handler: that INSERT for each request; no keys, limits, checks, events, enrichment or deliveries
//   - a handler that inserts row by row what leadgate does, the lead, its event and the pending enrichment, in a
//   transaction for each request

const baselineTable = `
create table if not exists bench_leads (
    workspace_id uuid not null, id uuid not null, email text not null, email_key text not null, name text, phone text, source text not null,
    status text not null, metadata json not null, created_at timestamptz not null, updated_at timestamptz not null,
    primary key (workspace_id, id), unique (workspace_id, email_key))`

// baselineWorkspace makes the workspace of the leads, whose settings enrichment asks for.
const baselineWorkspace = `insert into workspaces (id, name, settings, created_at, updated_at) values ($1, 'baseline', '{}', now(), now())`

const baselineInsert = `
insert into bench_leads (workspace_id, id, email, email_key, name, phone, source, status, metadata, created_at, updated_at)
values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $9) on conflict (workspace_id, email_key) do nothing`

// The rows of leadgate's own statement, one by one.
var factInserts = []string{
	`insert into leads (workspace_id, id, email, email_key, name, phone, source, status, metadata, created_at, updated_at)
	 values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $9) on conflict (workspace_id, email_key) do nothing`,
	`insert into enrichments (workspace_id, lead_id) values ($1, $2)`,
	`insert into events (workspace_id, id, type, lead_id, data, created_at) values ($1, $2, 'lead.created', $3, $4, $5)`,
}

// baselineConns is how many connections the baselines have; more were slower.
const baselineConns = 32

type baseline struct {
	db        *sql.DB
	insert    *sql.Stmt
	facts     []*sql.Stmt
	workspace id.UUID
}

func openBaseline(ctx context.Context, dsn string) (*baseline, error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(baselineConns)
	db.SetMaxIdleConns(baselineConns)
	if _, err := db.ExecContext(ctx, baselineTable); err != nil {
		return nil, fmt.Errorf("baseline table: %w", err)
	}
	b := &baseline{db: db, workspace: id.New()}
	if _, err := db.ExecContext(ctx, baselineWorkspace, b.workspace); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	if b.insert, err = db.PrepareContext(ctx, baselineInsert); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	for _, q := range factInserts {
		s, err := db.PrepareContext(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("baseline: %w", err)
		}
		b.facts = append(b.facts, s)
	}
	return b, nil
}

func (b *baseline) close() {
	b.db.Exec("drop table bench_leads") // what stays is in a throw-away database anyway
	b.db.Close()
}

// bareLead is the body as a handler without leadgate's care would read it.
type bareLead struct {
	Name     string          `json:"name"`
	Email    string          `json:"email"`
	Phone    string          `json:"phone"`
	Source   string          `json:"source"`
	Status   string          `json:"status"`
	Metadata json.RawMessage `json:"metadata"`
}

func (b *baseline) row(ctx context.Context, l *bareLead) error {
	_, err := b.insert.ExecContext(ctx, b.workspace, id.New(), l.Email, l.Name, l.Phone, l.Source, l.Status,
		string(l.Metadata), time.Now())
	return err
}

// allFacts writes what leadgate writes of a lead, row by row.
func (b *baseline) allFacts(ctx context.Context, l *bareLead) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit this does nothing
	lead, event, now := id.New(), id.New(), time.Now()
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	for i, args := range [][]any{
		{b.workspace, lead, l.Email, l.Name, l.Phone, l.Source, l.Status, string(l.Metadata), now},
		{b.workspace, lead},
		{b.workspace, event, lead, string(data), now},
	} {
		if _, err := tx.StmtContext(ctx, b.facts[i]).ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// inserts is the call of a bare INSERT.
func (b *baseline) inserts(ctx context.Context, run string) call {
	return func(_ int, n int64) (int, error) {
		var l bareLead
		if err := json.Unmarshal(leadBody(nil, run, n), &l); err != nil {
			return 0, err
		}
		return 201, b.row(ctx, &l)
	}
}

// serveRows serves the two handlers, "/bare" and "/facts", until ctx ends, in a process of its own, and sends its
// address to addr.
func (b *baseline) serveRows(ctx context.Context, addr chan<- string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		close(addr)
		return err
	}
	addr <- l.Addr().String()
	handle := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var lead bareLead
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&lead); err != nil {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		write := b.row
		if r.URL.Path == "/facts" {
			write = b.allFacts
		}
		if err := write(r.Context(), &lead); err != nil {
			http.Error(w, "insert", http.StatusInternalServerError)
			return
		}
		answer, _ := json.Marshal(map[string]any{"success": true, "data": lead}) // it was just decoded
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.WriteHeader(http.StatusCreated)
		w.Write(answer)
	})
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: handle}
	context.AfterFunc(ctx, func() { s.Close() })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
