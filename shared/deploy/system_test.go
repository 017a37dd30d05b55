package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/devstack"
	"leadgate/shared/loadgen"
)

// running is the one system of this process: two gateways and two workers, which have taken leads in and delivered some.
var running = sync.OnceValues(func() (sys *devstack.System, err error) {
	sys, err = devstack.Start(context.Background(), devstack.SystemOptions{Getenv: os.Getenv, Gateways: 2, Workers: 2})
	if err != nil {
		return nil, err
	}
	onExit = append(onExit, func() { sys.Stop() })
	return sys, work(sys, "first")
})

// onExit ends what tests have started, the last first.
var onExit []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range slices.Backward(onExit) {
		end()
	}
	os.Exit(code)
}

func mustSystem(t *testing.T) *devstack.System {
	t.Helper()
	sys, err := running()
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

// work has each gateway take leads in, for a receiver that takes them and for one that does not. Each call has a name of
// its own.
func work(sys *devstack.System, name string) error {
	good, err := loadgen.Receive(0)
	if err != nil {
		return err
	}
	defer good.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer bad.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := good.Subscribe(ctx, sys.URL, sys.Key); err != nil {
		return err
	}
	other := &loadgen.Receiver{URL: bad.URL}
	if err := other.SubscribeWith(ctx, sys.URL, sys.Key, client.NewWebhook{URL: bad.URL}); err != nil {
		return err
	}
	for i, url := range sys.URLs {
		for n := range 5 {
			body := fmt.Sprintf(`{"email":"%s.%d.%d@example.com"}`, name, i, n)
			if status, text, err := send(ctx, http.DefaultClient, url+"/api/v1/leads", sys.Key, body); err != nil || status != 201 {
				return fmt.Errorf("POST lead = %d %s: %w", status, text, err)
			}
		}
	}
	if !good.WaitFor(ctx, 10) {
		return fmt.Errorf("webhooks did not arrive: %v", good.Refused())
	}
	return nil
}

// send posts body, or gets where it is "".
func send(ctx context.Context, c *http.Client, url, bearer, body string) (status int, text string, err error) {
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

func mustGet(t *testing.T, url string) string {
	t.Helper()
	status, text, err := send(t.Context(), http.DefaultClient, url, "", "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s = %d %s, %v", url, status, text, err)
	}
	return text
}
