package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/rdb"
)

const (
	hiddenHeader  = "hunter2-of-a-header"
	hiddenCaptcha = "hunter2-of-a-captcha"
)

// TestStoresHaveNoSecretInClear dumps Postgres and reads all of Redis while endpoints with secrets are at work.
func TestStoresHaveNoSecretInClear(t *testing.T) {
	t.Parallel()
	dump := mustTool(t, "pg_dump")
	c := mustTenant(t)
	arrived := make(chan *http.Request, 10)
	bodies := make(chan []byte, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- r
		bodies <- body
	}))
	t.Cleanup(receiver.Close)
	made := request(t, "POST", c.URL+"/api/v1/keys", c.mustManager(t), fmt.Sprintf(
		`{"name":"form","kind":"publishable","form":{"captcha":"turnstile","captchaSecret":%q,"origins":["*"]}}`, hiddenCaptcha))
	if made.status != http.StatusCreated {
		t.Fatalf("POST /keys = %v", made)
	}
	var page struct{ Key string }
	made.data(t, &page)
	if got := request(t, "GET", c.URL+"/f/"+page.Key+"/token", "", ""); got.status != http.StatusOK {
		t.Fatalf("GET token = %v", got) // which makes the secret of the installation
	}
	var secrets []string
	for _, signature := range []string{"v1", "v1a"} {
		var e struct{ ID, Secret string }
		c.call(t, "POST", "/api/v1/webhooks", fmt.Sprintf(
			`{"url":%q,"eventTypes":["lead.created"],"signature":%q,"headers":{"Authorization":%q}}`,
			receiver.URL, signature, hiddenHeader)).data(t, &e)
		first := e.Secret
		c.call(t, "POST", "/api/v1/webhooks/"+e.ID+"/rotate-secret", "").data(t, &e)
		secrets = append(secrets, first, e.Secret)
	}
	if posted := c.call(t, "POST", "/api/v1/leads", `{"email":"sealed@example.com"}`); posted.status != http.StatusCreated {
		t.Fatalf("POST /leads = %v", posted)
	}
	verified := 0
	for range 2 {
		select {
		case r := <-arrived:
			if got := r.Header.Get("Authorization"); got != hiddenHeader {
				t.Errorf("the receiver got Authorization %q, want its own", got)
			}
			body := <-bodies
			for _, secret := range secrets[:2] { // those that are shared; ed25519 is held by TestRotationToEd25519
				wh, err := standardwebhooks.NewWebhook(secret)
				if err != nil {
					t.Fatal(err)
				}
				if wh.Verify(body, r.Header) == nil {
					verified++
				}
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("no webhook came")
		}
	}
	if verified != 2 {
		t.Errorf("%d signatures verify, want that of the secret and that of the former one", verified)
	}

	text, err := exec.CommandContext(t.Context(), dump, "--dbname", c.DatabaseURL).Output()
	if err != nil || !strings.Contains(string(text), "sealed@example.com") {
		t.Fatalf("pg_dump = %v, and has not the lead: not looking at the database", err)
	}
	if !strings.Contains(string(text), "root\t§") {
		t.Error("a dump of Postgres has the secret of the installation in clear, or not at all")
	}
	kept := allOfRedis(t, c.RedisURL)
	for _, secret := range append(secrets, hiddenHeader, hiddenCaptcha) {
		if strings.Contains(string(text), secret) {
			t.Errorf("a dump of Postgres has the secret %s", secret)
		}
		if strings.Contains(kept, secret) {
			t.Errorf("Redis has the secret %s", secret)
		}
	}
}

// allOfRedis returns every key and value.
func allOfRedis(t *testing.T, url string) string {
	t.Helper()
	c, err := rdb.Open(url, rdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := context.WithoutCancel(t.Context())
	var all strings.Builder
	keys := c.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		fmt.Fprintln(&all, key, c.Get(ctx, key).Val(), c.HGetAll(ctx, key).Val(), c.LRange(ctx, key, 0, -1).Val(),
			c.SMembers(ctx, key).Val(), c.ZRange(ctx, key, 0, -1).Val()) // all but one are of another type, and empty
	}
	if keys.Err() != nil || all.Len() == 0 {
		t.Fatalf("reading Redis = %v", keys.Err())
	}
	return all.String()
}
