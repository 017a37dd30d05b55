package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"leadgate/migrations"
	"leadgate/shared/devstack"
)

// former is the whole product as an earlier revision of this repository has it, run by its own shared/dev.
type former struct {
	dev  *exec.Cmd
	data string // the directory of its stores
}

// releasedMigrations is how many migrations the released schema has (shared/pg/testdata/released).
const releasedMigrations = 6

// checkout puts the files of a revision into dir.
func checkout(ctx context.Context, revision, dir string) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	archive := dir + ".tar"
	if _, err := said(ctx, root, "git", "archive", "--format=tar", "--output="+archive, revision); err != nil {
		return fmt.Errorf("%w: no revision %s here: %w", errNotHere, revision, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err = said(ctx, dir, "tar", "-xf", archive)
	return errors.Join(err, os.Remove(archive))
}

// lastReleased is the newest revision whose schema is the released one.
func lastReleased(ctx context.Context) (string, error) {
	root, err := devstack.Root()
	if err != nil {
		return "", err
	}
	all, err := migrations.All()
	if err != nil {
		return "", err
	}
	if len(all) == releasedMigrations {
		return "", fmt.Errorf("%w: no migration is newer than the released ones (give -former)", errNotHere)
	}
	next := "migrations/" + all[releasedMigrations].Name
	added, err := said(ctx, root, "git", "log", "--diff-filter=A", "--format=%H", "--", next)
	if err != nil || added == "" {
		return "", fmt.Errorf("%w: no history of %s here: %w", errNotHere, next, err)
	}
	return added[strings.LastIndexByte(added, '\n')+1:] + "^", nil // the oldest
}

// said runs a program in dir and returns what it said.
func said(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return text, err
}

// startFormer builds the former version and starts it.
func (run *runner) startFormer(ctx context.Context) (err error) {
	revision := run.formerRevision
	if revision == "" {
		if revision, err = lastReleased(ctx); err != nil {
			return err
		}
	}
	tree, home := filepath.Join(run.dir, "former"), filepath.Join(run.dir, "dev")
	if err := checkout(ctx, revision, tree); err != nil {
		return err
	}
	program := filepath.Join(run.dir, "former-dev")
	if _, err := said(ctx, tree, "go", "build", "-o", program, "./shared/dev"); err != nil {
		return err
	}
	dev := exec.Command(program, "-dir", home, "-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0")
	dev.Dir = tree
	dev.Env = append(dev.Environ(), "DATABASE_URL=", "REDIS_URL=") // stores of its own
	dev.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dev.Stdout = run.parts.part("former")
	dev.Stderr = dev.Stdout
	if err := dev.Start(); err != nil {
		return fmt.Errorf("start %s: %w", revision, err)
	}
	run.former = &former{dev: dev, data: filepath.Join(home, "data")}
	if run.System, err = awaitEnv(ctx, filepath.Join(home, "env")); err != nil {
		err = fmt.Errorf("start %s: %w", revision, err)
	}
	return err
}

// awaitEnv waits for the file in which shared/dev says where everything is.
func awaitEnv(ctx context.Context, path string) (*devstack.System, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // it builds its programs
	defer cancel()
	for {
		file, err := os.Open(path)
		if err != nil {
			if !pause(ctx, 50*time.Millisecond) {
				return nil, errors.New("not ready after minutes")
			}
			continue
		}
		defer file.Close()
		env := map[string]string{}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), "=")
			env[name] = strings.Trim(value, "'")
		}
		return &devstack.System{URL: env["LEADGATE_URL"], Key: env["LEADGATE_KEY"], ChatbotID: env["LEADGATE_CHATBOT_ID"],
			WorkspaceID: env["LEADGATE_WORKSPACE_ID"], DatabaseURL: env["DATABASE_URL"]}, nil
	}
}

// end stops it, and waits. Called again, it does nothing.
func (f *former) end() error {
	if f.dev.ProcessState != nil {
		return nil
	}
	if err := f.dev.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return f.dev.Wait()
}
