package pgtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leadgate/migrations"
	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// The cache directory holds, for each version of Postgres, each history of migrations and each week, because of the
// weeks that its tables have (the key),
//
//	KEY/template    a stopped cluster with the migrated databases templateDB and SystemDB
//	KEY/slot-N      copies of it; a test process uses one, under the lock KEY/slot-N.lock, and leaves it to the next
//
// so there are never more copies than there were test processes at a time. Beside the keys it holds own-RANDOM, the
// cluster of one test, under the lock own-RANDOM.lock. The next test process removes what a test that was killed left.
const (
	templateDB = "template_leadgate"
	SystemDB   = "leadgate" // the database of devstack's systems
	maxSlots   = 64
	staleAfter = 4 * time.Hour // a key nobody used for so long is removed: it may be in memory
	maxConns   = 400           // tests run in parallel, each with a pool
	room       = 2 << 30       // bytes that all slots may come to
	lockSuffix = ".lock"
)

// cacheDir is this user's, made if need be.
func cacheDir() (string, error) {
	dir := filepath.Join(devstack.FastDir(room), fmt.Sprintf("leadgate-pgtest-%d", os.Geteuid()))
	return devstack.OwnDir(dir)
}

// cacheKey names a template.
func cacheKey(ctx context.Context) (string, error) {
	version, err := devstack.PostgresVersion(ctx, os.Getenv)
	if err != nil {
		return "", err
	}
	kind := ""
	if OnCitus() {
		kind = "-citus"
	}
	sum := sha256.New()
	err = fs.WalkDir(migrations.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	now := time.Now().UTC()
	monday := now.AddDate(0, 0, -(int(now.Weekday())+6)%7).Format("20060102")
	return fmt.Sprintf("pg%d%s-%x-roles-%s", version, kind, sum.Sum(nil)[:6], monday), err
}

// startCluster takes a free slot and starts it.
func startCluster(ctx context.Context) (*devstack.Postgres, error) {
	home, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	for n := range maxSlots {
		slot := filepath.Join(home, fmt.Sprintf("slot-%d", n))
		release, err := devstack.Lock(slot+lockSuffix, false)
		if errors.Is(err, devstack.ErrLocked) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p, err := startSlot(ctx, home, slot)
		if err != nil {
			release()
			return nil, err
		}
		return p, nil // the lock is kept until this process ends
	}
	return nil, fmt.Errorf("all %d test clusters in %s are in use", maxSlots, home)
}

// startSlot starts the cluster a former process left, or where that fails (it runs without fsync) a fresh copy.
func startSlot(ctx context.Context, home, slot string) (*devstack.Postgres, error) {
	if _, err := os.Stat(slot); err == nil {
		p, err := start(ctx, slot)
		if err == nil {
			if err = dropLeftovers(ctx, p); err == nil {
				return p, nil
			}
			p.Kill()
		}
	}
	if err := os.RemoveAll(slot); err != nil {
		return nil, err
	}
	if err := devstack.CopyDir(filepath.Join(home, "template"), slot); err != nil {
		return nil, err
	}
	return start(ctx, slot)
}

func start(ctx context.Context, dir string, changes ...func(*devstack.PostgresOptions)) (*devstack.Postgres, error) {
	opt := devstack.PostgresOptions{Dir: dir, MaxConns: maxConns, Getenv: os.Getenv, Citus: OnCitus()}
	apply(&opt, changes)
	return devstack.StartPostgres(ctx, opt)
}

// CopyCluster makes dir a stopped cluster that has the migrated database SystemDB. It takes a tenth of what initdb and
// the migrations take.
func CopyCluster(ctx context.Context, dir string) error {
	home, err := prepare(ctx)
	if err != nil {
		return err
	}
	return devstack.CopyDir(filepath.Join(home, "template"), dir)
}

// dropLeftovers drops the databases of tests that were killed.
func dropLeftovers(ctx context.Context, p *devstack.Postgres) error {
	db, err := pg.Open(p.URL("postgres"), pg.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	var names []string
	if err := db.SelectContext(ctx, &names, `select datname from pg_database where datname like 't\_%'`); err != nil {
		return err
	}
	for _, name := range names {
		if err := p.DropDatabase(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// prepare returns the directory of the key, in which there is a template.
func prepare(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	key, err := cacheKey(ctx)
	if err != nil {
		return "", err
	}
	release, err := devstack.Lock(filepath.Join(cache, "lock"), true)
	if err != nil {
		return "", err
	}
	defer release()
	removeStale(cache, key)
	home := filepath.Join(cache, key)
	template := filepath.Join(home, "template")
	if _, err := os.Stat(template); err == nil {
		now := time.Now()
		return home, os.Chtimes(home, now, now) // in use
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	fresh := template + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	if err := makeTemplate(ctx, fresh); err != nil {
		return "", fmt.Errorf("make the template database: %w", err)
	}
	return home, os.Rename(fresh, template)
}

func makeTemplate(ctx context.Context, dir string) error {
	p, err := start(ctx, dir)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := ensureTemplate(ctx, p); err != nil {
		return err
	}
	db, err := pg.Open(p.URL(templateDB), pg.Options{MaxConns: 2, StatementTimeout: time.Minute})
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	if _, err = db.Migrate(ctx, quiet); err == nil && OnCitus() {
		_, err = db.Distribute(ctx, quiet)
	}
	if err == nil {
		err = makeRunRole(ctx, db, quiet)
	}
	db.Close()
	if err != nil {
		return err
	}
	if err := p.Restart(ctx); err != nil { // with which nobody is connected to the template, as Citus is
		return err
	}
	if err := p.CreateDatabase(ctx, SystemDB, templateDB); err != nil {
		return err
	}
	return p.Stop()
}

// removeStale removes clusters of one test that was killed, and templates of other keys that were not used for long and
// of which no copy is in use.
func removeStale(cache, key string) {
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || e.Name() == key {
			continue
		}
		home := filepath.Join(cache, e.Name())
		if _, err := os.Stat(home + lockSuffix); err == nil { // the cluster of one test
			if release, err := devstack.Lock(home+lockSuffix, false); err == nil {
				os.RemoveAll(home)
				os.Remove(home + lockSuffix)
				release()
			}
			continue
		}
		if time.Since(info.ModTime()) >= staleAfter && !inUse(home) {
			os.RemoveAll(home)
		}
	}
}

func inUse(home string) bool {
	entries, _ := os.ReadDir(home)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), lockSuffix) {
			continue
		}
		release, err := devstack.Lock(filepath.Join(home, e.Name()), false)
		if err != nil {
			return true
		}
		release()
	}
	return false
}
