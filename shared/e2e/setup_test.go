package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/loadgen"
)

// running is the one system of this process, started by the first test that asks for it. Each test has a workspace of
// its own.
var running = sync.OnceValues(func() (*devstack.System, error) {
	opt := devstack.SystemOptions{Getenv: os.Getenv}
	if os.Getenv(devstack.CitusEnv) != "" {
		opt.CitusNodes = 2
	}
	return devstack.Start(context.Background(), opt)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if sys, err := running(); err == nil {
		sys.Stop()
	}
	os.Exit(code)
}

func mustSystem(t testing.TB) *devstack.System {
	t.Helper()
	sys, err := running()
	if err != nil {
		t.Fatalf("devstack.Start() = %v", err)
	}
	return sys
}

// tenant is a new workspace as its owner has it.
type tenant struct {
	*devstack.System
	workspace, chatbot, key, keyID string
}

func mustTenant(t testing.TB) *tenant {
	t.Helper()
	return mustTenantOf(t, mustSystem(t))
}

func mustTenantOf(t testing.TB, sys *devstack.System) *tenant {
	t.Helper()
	c := &tenant{System: sys}
	make := func(path, body string) (made struct{ ID, Secret string }) {
		t.Helper()
		got := c.admin(t, "POST", path, body)
		if got.status != http.StatusCreated {
			t.Fatalf("POST %s = %v, want 201", path, got)
		}
		got.data(t, &made)
		return made
	}
	name := fmt.Sprintf(`{"name":%q}`, t.Name())
	c.workspace = make("/workspaces", fmt.Sprintf(`{"name":%q,"rate":50000,"burst":100000}`, t.Name())).ID
	c.chatbot = make("/workspaces/"+c.workspace+"/chatbots", name).ID
	key := make("/workspaces/"+c.workspace+"/keys", name)
	c.key, c.keyID = key.Secret, key.ID
	return c
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// data reads what is under "data".
func (a answer) data(t testing.TB, to any) {
	t.Helper()
	if err := json.Unmarshal(a.body, &struct{ Data any }{to}); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
}

// id is the lead a 201 made, or the one a 409 names.
func (a answer) id(t testing.TB) string {
	t.Helper()
	lead, err := loadgen.Answer{Status: a.status, Body: a.body}.Lead()
	if err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return lead
}

func (c *tenant) admin(t testing.TB, method, path, body string) answer {
	t.Helper()
	return request(t, method, c.AdminURL+"/admin/api/v1"+path, c.AdminToken, body)
}

// call asks the API with the tenant's key.
func (c *tenant) call(t testing.TB, method, path, body string) answer {
	t.Helper()
	return request(t, method, c.URL+path, c.key, body)
}

func request(t testing.TB, method, url, bearer, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	checkDocumented(t, req, res, text)
	return answer{res.StatusCode, res.Header, text}
}

// mustReceive makes a subscriber to the tenant's events.
func (c *tenant) mustReceive(t testing.TB, events ...string) *loadgen.Receiver {
	t.Helper()
	r, err := loadgen.Receive(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if err := r.Subscribe(t.Context(), c.URL, c.key, events...); err != nil {
		t.Fatal(err)
	}
	return r
}

// mustWait waits for an event of a lead, as long as a busy test machine may take.
func mustWait(t testing.TB, r *loadgen.Receiver, event, lead string) loadgen.Arrival {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	a, err := r.Wait(ctx, event, lead)
	if err != nil {
		t.Fatalf("%v; refused: %v", err, r.Refused())
	}
	return a
}

// keys are an object's keys in their order.
func keys(t testing.TB, object []byte) (all []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(object))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		t.Fatalf("%s is not an object (%v)", object, err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name.(string))
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
