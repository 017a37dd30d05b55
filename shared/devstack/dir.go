package devstack

import (
	"context"
	"fmt"
	"os"
)

// OwnDir makes dir, or takes it if it is there and belongs to us, and returns it or the directory that stands for it
// where the stores' user cannot reach it.
func OwnDir(dir string) (string, error) { return storeAccount().makeReachable(dir) }

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

// PostgresVersion is the major version that StartPostgres uses for a new cluster.
func PostgresVersion(ctx context.Context) (int, error) {
	bin, err := findPostgres(ctx, nil, 0)
	return bin.major, err
}
