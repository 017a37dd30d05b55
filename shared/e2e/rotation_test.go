package e2e

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/webhook"
)

// signed is a delivery as a receiver has it, whether or not it can verify it.
type signed struct {
	lead string
	from time.Time // the second in which it was signed
	head map[string]string
	body []byte
}

// witness takes every delivery and leaves the judgement for later.
type witness struct {
	*httptest.Server
	mu      sync.Mutex
	seen    []signed
	arrived chan struct{} // holds one while something came that nobody has looked at
}

func mustWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{arrived: make(chan struct{}, 1)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := signed{head: map[string]string{}}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			s.head[name] = r.Header.Get(name)
		}
		s.body, _ = io.ReadAll(r.Body)
		var event struct{ Data struct{ ID string } }
		seconds, err := strconv.ParseInt(s.head["webhook-timestamp"], 10, 64)
		if err != nil || json.Unmarshal(s.body, &event) != nil {
			t.Errorf("delivery = %v %s, want a Standard Webhook", s.head, s.body)
		}
		s.lead, s.from = event.Data.ID, time.Unix(seconds, 0)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, s)
		select {
		case w.arrived <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// await waits until deliveries of so many leads have arrived, and returns all.
func (w *witness) await(t *testing.T, what string, leads int) []signed {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		w.mu.Lock()
		seen, different := slices.Clone(w.seen), map[string]bool{}
		w.mu.Unlock()
		for i := range seen {
			different[seen[i].lead] = true
		}
		if len(different) >= leads {
			return seen
		}
		select {
		case <-w.arrived:
		case <-late:
			t.Fatalf("%s did not come in a minute; those of %d leads did", what, len(different))
		}
	}
}

// endpointShown is what these tests read of an endpoint.
type endpointShown struct {
	ID, Secret, PublicKey string
	FormerSecrets         []struct{ ExpiresAt time.Time }
}

// rotation is what was delivered while an endpoint's secret was rotated, and which of it was posted when.
type rotation struct {
	old, fresh     endpointShown
	until          time.Time       // when the old secret ended
	before, after  map[string]bool // leads told of before the call, and posted after its answer
	deliveries     []signed
	oldKey, newKey string // what verifies: the secret, or the public key
}

// mustRotate rotates the secret of an endpoint that is delivered to all the time, until the old one has ended.
func mustRotate(t *testing.T, signature string) *rotation {
	t.Helper()
	c, w := mustTenant(t), mustWitness(t)
	r := &rotation{before: map[string]bool{}, after: map[string]bool{}}
	c.call(t, "POST", "/api/v1/webhooks", fmt.Sprintf(`{"url":%q,"eventTypes":["lead.created"]}`, w.URL)).data(t, &r.old)
	posted, pace := 0, time.NewTicker(10*time.Millisecond)
	defer pace.Stop()
	post := func(phase map[string]bool) {
		<-pace.C
		posted++
		lead := c.call(t, "POST", "/api/v1/leads", body(fmt.Sprintf("n%d@example.com", posted))).id(t)
		if phase != nil {
			phase[lead] = true
		}
	}
	for range 10 {
		post(r.before)
	}
	w.await(t, "the first of them", len(r.before))

	answered := make(chan answer)
	go func() {
		var a answer
		defer func() { answered <- a }()
		a = c.call(t, "POST", "/api/v1/webhooks/"+r.old.ID+"/rotate-secret",
			fmt.Sprintf(`{"overlapSeconds":4,"signature":%q}`, signature))
	}()
	for rotated := false; !rotated; {
		select {
		case a := <-answered:
			if a.status != http.StatusOK {
				t.Fatalf("rotate-secret = %v, want 200", a)
			}
			a.data(t, &r.fresh)
			rotated = true
		default:
			post(nil)
		}
	}
	if len(r.fresh.FormerSecrets) != 1 || r.fresh.Secret == r.old.Secret || r.fresh.ID != r.old.ID {
		t.Fatalf("rotate-secret = %+v, want a new secret and one former", r.fresh)
	}
	r.until = r.fresh.FormerSecrets[0].ExpiresAt
	for over := r.until.Add(time.Second); time.Now().Before(over); {
		post(r.after)
	}
	for range 10 {
		post(r.after)
	}
	r.deliveries = w.await(t, "the rest of them", posted)
	r.oldKey, r.newKey = r.old.Secret, r.fresh.Secret
	if signature == webhook.SignatureEd25519 {
		r.newKey = r.fresh.PublicKey
	}
	return r
}

// claim is that a key verifies a delivery, or does not.
type claim struct {
	Secret string            `json:"secret"`
	Head   map[string]string `json:"headers"`
	Body   string            `json:"body"`
	want   bool
}

// claims are what must hold of the deliveries, by phase; tampered ones verify with no key.
func (r *rotation) claims(t *testing.T) map[string][]claim {
	t.Helper()
	all := map[string][]claim{}
	add := func(phase, key string, s *signed, want bool) {
		all[phase] = append(all[phase], claim{key, s.head, string(s.body), want})
		if want {
			tampered := strings.Replace(string(s.body), "@example.com", "@evil.example.com", 1)
			all["tampered"] = append(all["tampered"], claim{key, s.head, tampered, false})
		}
	}
	for i := range r.deliveries {
		s := &r.deliveries[i]
		end := s.from.Add(time.Second) // it was signed before
		switch {
		case r.before[s.lead]:
			add("before, old", r.oldKey, s, true)
			add("before, new", r.newKey, s, false)
		case !r.after[s.lead]: // posted while it was rotated
			add("at once, old", r.oldKey, s, true)
		case !end.After(r.until):
			add("overlap, old", r.oldKey, s, true)
			add("overlap, new", r.newKey, s, true)
		case !s.from.Before(r.until):
			add("after, old", r.oldKey, s, false)
			add("after, new", r.newKey, s, true)
		default: // in the second in which the old one ended
			add("end, new", r.newKey, s, true)
		}
	}
	for _, phase := range []string{"before, old", "before, new", "overlap, old", "overlap, new", "after, old",
		"after, new", "tampered"} {
		if len(all[phase]) == 0 {
			t.Errorf("no delivery is %q, want some of each", phase)
		}
	}
	return all
}

// verifies asks the Standard Webhooks library, which knows secrets, or checks an ed25519 signature as the specification
// says.
func (c *claim) verifies(t *testing.T) bool {
	t.Helper()
	public, asymmetric := strings.CutPrefix(c.Secret, "whpk_")
	if !asymmetric {
		wh, err := standardwebhooks.NewWebhook(c.Secret)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		for name, value := range c.Head {
			header.Set(name, value)
		}
		return wh.Verify([]byte(c.Body), header) == nil
	}
	key, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	content := c.Head["webhook-id"] + "." + c.Head["webhook-timestamp"] + "." + c.Body
	return slices.ContainsFunc(strings.Fields(c.Head["webhook-signature"]), func(one string) bool {
		text, ok := strings.CutPrefix(one, "v1a,")
		signature, err := base64.StdEncoding.DecodeString(text)
		return ok && err == nil && ed25519.Verify(key, []byte(content), signature)
	})
}

// Receivers change to a new secret when it suits them: until the old one ends, whatever is delivered verifies with
// both.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	r := mustRotate(t, webhook.SignatureHMAC)
	claims := r.claims(t)
	t.Run("go", func(t *testing.T) {
		for phase, all := range claims {
			for _, c := range all {
				if got := c.verifies(t); got != c.want {
					t.Errorf("%s: %s verifies: %v, want %v", phase, c.Head["webhook-id"], got, c.want)
				}
			}
		}
	})
	for _, pkg := range []string{"standardwebhooks", "svix"} {
		t.Run(pkg, func(t *testing.T) {
			node := mustNodePackage(t, pkg)
			for phase, all := range claims {
				for i, got := range node.verify(t, all) {
					if got != all[i].want {
						t.Errorf("%s: %s verifies: %v, want %v", phase, all[i].Head["webhook-id"], got, all[i].want)
					}
				}
			}
		})
	}
}

// The new secret can be of the other kind: each receiver finds the signature it knows.
func TestRotationToEd25519(t *testing.T) {
	t.Parallel()
	r := mustRotate(t, webhook.SignatureEd25519)
	if !strings.HasPrefix(r.fresh.Secret, "whsk_") || !strings.HasPrefix(r.fresh.PublicKey, "whpk_") {
		t.Fatalf("rotate-secret to v1a answers the public key %q, want whsk_ and whpk_", r.fresh.PublicKey)
	}
	for phase, all := range r.claims(t) {
		for _, c := range all {
			if got := c.verifies(t); got != c.want {
				t.Errorf("%s: %s verifies: %v, want %v", phase, c.Head["webhook-id"], got, c.want)
			}
		}
	}
}

// nodePackage is an npm package that receivers verify with.
type nodePackage struct{ node, name string }

// mustNodePackage skips the test where node does not find the package; NODE_PATH says where to look besides.
func mustNodePackage(t *testing.T, name string) nodePackage {
	t.Helper()
	node := mustTool(t, "node")
	if err := exec.Command(node, "-e", "require(process.argv[1])", name).Run(); err != nil {
		t.Skipf("the npm package %s is not installed where node looks (NODE_PATH)", name)
	}
	return nodePackage{node, name}
}

func (n nodePackage) verify(t *testing.T, all []claim) (verified []bool) {
	t.Helper()
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(n.node, filepath.Join("testdata", "verify.js"), n.name)
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &verified)
	}
	if err != nil || len(verified) != len(all) {
		t.Fatalf("node verify.js %s = %s, %v, want %d answers", n.name, out, err, len(all))
	}
	return verified
}
