package pg_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadgate/shared/config"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// A URL that changes in its file is used for the next connection; what cannot be read, or is not valid, changes nothing.
// The connections that are open stay.
func TestURLChangesInItsFile(t *testing.T) {
	t.Parallel()
	url, file := pgtest.URL(t), filepath.Join(t.TempDir(), "url")
	named := func(name string) string {
		separator := "?"
		if strings.Contains(url, "?") {
			separator = "&"
		}
		return url + separator + "application_name=" + name
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(named("first"))
	watched := config.WatchedSecret{Secret: config.Secret(named("first")), File: file}
	db, err := pg.Open(named("first"), pg.Options{MaxConns: 2, Current: watched.Current})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	kept, err := db.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	db.SetMaxIdleConns(-1) // each of the others is new
	wantName := func(want string) {
		t.Helper()
		var got string
		if err := db.GetContext(t.Context(), &got, `select current_setting('application_name')`); err != nil || got != want {
			t.Errorf("a new connection has application_name %q, %v, want %q", got, err, want)
		}
	}
	wantName("first")
	write(named("second"))
	wantName("second")
	write("postgres://half")
	write("no URL at all")
	wantName("second")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantName("second")
	var got string
	if err := kept.GetContext(t.Context(), &got, `select current_setting('application_name')`); err != nil || got != "first" {
		t.Errorf("the connection that was open has application_name %q, %v, want first", got, err)
	}
}
