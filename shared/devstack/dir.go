package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OwnDir makes dir, or takes it if it is there and belongs to us, and returns it or the directory that stands for it
// where the stores' user cannot reach it.
func OwnDir(dir string) (string, error) { return storeAccount().makeReachable(dir) }

// FastDir is where files are that may be lost with the machine: in memory, where the system has a directory there with
// so many bytes left, else with the temporary files. Some file systems take long for the hundreds of files of a
// database that is made after another was dropped.
func FastDir(room uint64) string {
	const inMemory = "/dev/shm"
	var fs unix.Statfs_t
	if unix.Access(inMemory, unix.W_OK) == nil && unix.Statfs(inMemory, &fs) == nil &&
		fs.Bavail*uint64(fs.Bsize) >= room {
		return inMemory
	}
	return os.TempDir()
}

// CopyDir copies a stopped cluster's directory for another cluster.
func CopyDir(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy cluster: %w", err)
	}
	for _, private := range []string{to + "/data", to + "/password"} { // Postgres insists
		if err := os.Chmod(private, 0o700); err != nil {
			return err
		}
		if err := storeAccount().chown(private); err != nil {
			return err
		}
	}
	return nil
}

// KeepStore copies what the system's stopped "postgres" or "redis" has on disk, for RewindStore.
func (s *System) KeepStore(store string) error {
	data, kept, err := s.storeDirs(store)
	if err != nil {
		return err
	}
	return copyStore(data, kept)
}

// RewindStore puts the system's stopped "postgres" or "redis" back to where it was at KeepStore, as a replica that
// lagged, or a backup, would have it.
func (s *System) RewindStore(store string) error {
	data, kept, err := s.storeDirs(store)
	if err != nil {
		return err
	}
	return copyStore(kept, data)
}

// storeDirs returns where a store has its data, and where a copy is kept.
func (s *System) storeDirs(store string) (data, kept string, err error) {
	dir, err := storeAccount().reachable(filepath.Join(s.opt.Dir, store))
	return filepath.Join(dir, "data"), filepath.Join(dir, "kept"), err
}

// copyStore makes to a copy of from, and nothing else.
func copyStore(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy store: %w", err)
	}
	if err := os.Chmod(to, 0o700); err != nil { // Postgres insists
		return err
	}
	return storeAccount().chown(to)
}

// PostgresVersion is the major version that StartPostgres uses for a new cluster, with the same getenv.
func PostgresVersion(ctx context.Context, getenv func(string) string) (int, error) {
	bin, err := findPostgres(ctx, getenv, 0)
	return bin.major, err
}

// Remove throws away what a stopped system kept in dir.
func Remove(dir string) error {
	return errors.Join(RemoveStore(dir, "postgres"), RemoveStore(dir, "redis"), os.RemoveAll(dir))
}

// RemoveStore throws away what a stopped system's "postgres" or "redis" kept in dir.
func RemoveStore(dir, store string) error {
	placed, err := storeAccount().reachable(filepath.Join(dir, store))
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(placed), os.RemoveAll(filepath.Join(dir, store)))
}
