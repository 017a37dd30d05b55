package devstack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// The demo workspace's limits: far above what a laptop can send.
const demoRate, demoBurst = 50_000, 100_000

// demo is the tenant a system is tried out with. A key's secret is shown once, so it is kept here, in a file only its
// owner can read.
type demo struct {
	AdminToken  string `json:"adminToken"`
	WorkspaceID string `json:"workspaceId"`
	ChatbotID   string `json:"chatbotId"`
	Key         string `json:"key"`
}

// openDemo returns the tenant of the last run if db still has it and its key may do everything, else makes one.
func openDemo(ctx context.Context, db *pg.DB, dir string, now time.Time) (demo, error) {
	file := filepath.Join(dir, "demo.json")
	var d demo
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err == nil {
		good, err := d.works(ctx, db, now)
		if err != nil || good {
			return d, err
		}
	}
	if d.AdminToken == "" {
		d.AdminToken = rand.Text()
	}
	if err := d.create(ctx, db, now); err != nil {
		return d, fmt.Errorf("make the demo workspace: %w", err)
	}
	if text, err = json.MarshalIndent(d, "", "\t"); err != nil {
		return d, err
	}
	return d, WriteFile(file, text)
}

// openSecretKeys returns what stored secrets are sealed with: the key of the last run, else a new one.
func openSecretKeys(dir string) (string, error) {
	file := filepath.Join(dir, "secret-keys")
	text, err := os.ReadFile(file)
	if !errors.Is(err, os.ErrNotExist) {
		return string(text), err
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	text = fmt.Appendf(nil, "dev:%s", base64.StdEncoding.EncodeToString(key))
	return string(text), WriteFile(file, text)
}

func (d demo) works(ctx context.Context, db *pg.DB, now time.Time) (bool, error) {
	hash, ok := tenant.HashSecret(d.Key)
	if !ok {
		return false, nil
	}
	p, err := db.PrincipalByHash(ctx, hash, now)
	if fault.Is(err, fault.Unauthorized) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	chatbot, err := id.Chatbot.Parse(d.ChatbotID)
	if err != nil || id.Workspace.Format(p.WorkspaceID) != d.WorkspaceID || len(p.Scopes) < len(tenant.Scopes()) {
		return false, nil
	}
	return db.ChatbotExists(ctx, p.WorkspaceID, chatbot)
}

func (d *demo) create(ctx context.Context, db *pg.DB, now time.Time) error {
	w := tenant.Workspace{ID: id.New(), Name: "Demo", Settings: tenant.Settings{Rate: demoRate, Burst: demoBurst},
		CreatedAt: now, UpdatedAt: now}
	c := tenant.Chatbot{WorkspaceID: w.ID, ID: id.New(), Name: "Demo chatbot", CreatedAt: now}
	d.Key = tenant.NewSecret()
	hash, ok := tenant.HashSecret(d.Key)
	if !ok {
		return errors.New("a new secret does not hash")
	}
	k := tenant.Key{WorkspaceID: w.ID, ID: id.New(), Name: "Demo key", Hint: tenant.Hint(d.Key), Scopes: tenant.Scopes(),
		CreatedAt: now}
	d.WorkspaceID, d.ChatbotID = id.Workspace.Format(w.ID), id.Chatbot.Format(c.ID)
	if err := db.CreateWorkspace(ctx, w); err != nil {
		return err
	}
	if err := db.CreateChatbot(ctx, c); err != nil {
		return err
	}
	return db.CreateKey(ctx, k, hash)
}

// WriteFile puts text into a file only its owner can read, whole or not at all.
func WriteFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// migrate has the gateway that was built make the schema.
func (s *System) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.Program("gateway"), "migrate")
	cmd.Dir = s.opt.Dir
	cmd.Env = append(cmd.Environ(), "DATABASE_URL="+s.DatabaseURL, "DATABASE_URL_FILE=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("gateway migrate: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
