package pg_test

import (
	"errors"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// An insert gives up when another transaction has one of its emails for longer than it is told to wait, writes nothing,
// and leaves the session as it was.
func TestInsertLeadsWithin(t *testing.T) {
	t.Parallel()
	url := pgtest.OwnerURL(t)
	open := func() *pg.DB {
		db, err := pg.Open(url, pg.Options{MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	db, other := open(), open()
	ws := pgtest.Workspace(t, db).ID
	made := func(email string) pg.NewLead {
		return pg.NewLead{EventID: id.New(), Lead: lead.Lead{WorkspaceID: ws, ID: id.New(), Email: email, UniqueKey: email,
			Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: time.Now()}}
	}
	tx, err := other.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	holder := id.New()
	if _, err := tx.ExecContext(t.Context(), `
insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
values ($1, $2, 'held@example.com', 'held@example.com', 'api', 'new', '{}', now(), now())`, ws, holder); err != nil {
		t.Fatal(err)
	}
	leads := []pg.NewLead{made("free@example.com"), made("held@example.com"), made("last@example.com")}
	if _, err := db.InsertLeadsWithin(t.Context(), leads, 15*time.Millisecond); !errors.Is(err, pg.ErrLockTimeout) {
		t.Fatalf("InsertLeadsWithin() beside a held email = %v, want ErrLockTimeout", err)
	}
	var setting string
	var rows int
	if err := db.GetContext(t.Context(), &setting, `show lock_timeout`); err != nil || setting != "0" {
		t.Errorf("lock_timeout of the session = %s, %v, want 0 as before", setting, err)
	}
	if err := db.GetContext(t.Context(), &rows, `select count(*) from leads`); err != nil || rows != 0 {
		t.Errorf("%d leads, %v, want none", rows, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	got, err := db.InsertLeadsWithin(t.Context(), leads, 15*time.Millisecond)
	if err != nil || got.Leads[0].Taken || got.Leads[1].Holder != holder || got.Leads[2].Taken {
		t.Errorf("InsertLeadsWithin() = %+v, %v, want the second taken by %v", got, err, holder)
	}
}
