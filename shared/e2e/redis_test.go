package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// mustUseRedis starts a system with the programs of the one that is shared, on another Redis.
func mustUseRedis(t *testing.T, url string, env ...string) *devstack.System {
	t.Helper()
	programs := filepath.Dir(mustSystem(t).Program("gateway"))
	sys, err := devstack.Start(t.Context(), devstack.SystemOptions{Bin: programs, RedisURL: url, Env: env,
		Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Stop() })
	return sys
}

// aclRule is how OPERATIONS.md has an operator make the user.
var aclRule = regexp.MustCompile(`(?m)^ACL SETUSER leadgate (.*)$`)

// readmeUser is the rule of OPERATIONS.md, as arguments.
func readmeUser(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", "OPERATIONS.md"))
	if err != nil {
		t.Fatal(err)
	}
	rule := aclRule.FindStringSubmatch(strings.ReplaceAll(string(text), "\\\n", ""))
	if rule == nil {
		t.Fatal("OPERATIONS.md has no ACL SETUSER leadgate")
	}
	words := strings.Fields(strings.ReplaceAll(rule[1], ">…", ">secret"))
	if redistest.Old(t) { // as OPERATIONS.md says of it
		unknown := []string{"resetchannels", "&asynq:*", "+blmove"}
		words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(unknown, w) })
	}
	return append([]string{"--user", "leadgate"}, words...)
}

// The whole product works on a cluster, of which it knows one address, as the user of OPERATIONS.md, who may do no more
// than that.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	user := readmeUser(t)
	cluster := redistest.StartCluster(t, devstack.ClusterOptions{Node: func(_ int, opt *devstack.RedisOptions) {
		opt.Args = user
	}})
	url := "redis://leadgate:secret@" + cluster.Nodes[0].Addr()
	sys := mustUseRedis(t, url, "LEADGATE_QUEUES_WRITABLE=true")
	all := []*tenant{mustTenantOf(t, sys), mustTenantOf(t, sys), mustTenantOf(t, sys)} // they are at different nodes
	t.Run("work", func(t *testing.T) {
		for _, c := range all {
			t.Run(c.workspace, func(t *testing.T) {
				t.Parallel()
				exercise(t, c)
			})
		}
	})
	wantAdminPages(t, sys, `"cluster":true`)
	actOnQueues(t, sys)
	redis := redistest.OpenURL(t, url, rdb.Options{Timeout: 5 * time.Second})
	for _, c := range all {
		c.mustDelete(t)
		ws, err := id.Workspace.Parse(c.workspace)
		if err != nil {
			t.Fatal(err)
		}
		if _, n, err := rdb.DeleteKeys(t.Context(), redis, ws, 0, time.Now().Add(time.Minute)); err != nil || n == 0 {
			t.Errorf("DeleteKeys() = %d, %v, want some, as a worker deletes them minutes later", n, err)
		}
	}
	for _, n := range cluster.Nodes {
		c := redistest.OpenURL(t, n.URL()+"?cluster=false", rdb.Options{})
		if refused, err := c.Do(t.Context(), "acl", "log").Slice(); err != nil || len(refused) > 0 {
			t.Errorf("ACL LOG = %v, %v, want that nothing was refused", refused, err)
		}
	}
}

// The whole product works on a master that Sentinels name, with TLS and a certificate of its own.
func TestOnASentinel(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := authority.Server("127.0.0.1")
	master := redistest.StartWith(t, devstack.RedisOptions{TLS: server})
	sentinel := redistest.StartSentinel(t, devstack.RedisOptions{TLS: server}, "mymaster", master)
	ca, cert, key := authority.ClientFiles()
	sys := mustUseRedis(t, "rediss-sentinel://"+sentinel.Addr()+"/mymaster/0", "LEADGATE_REDIS_CA_FILE="+ca,
		"LEADGATE_REDIS_CERT_FILE="+cert, "LEADGATE_REDIS_KEY_FILE="+key)
	exercise(t, mustTenantOf(t, sys))
	wantAdminPages(t, sys, `"cluster":false`)
}

// exercise does with a tenant what needs Redis.
func exercise(t *testing.T, c *tenant) {
	r := c.mustReceive(t, webhook.LeadCreated, webhook.LeadEnriched, webhook.LeadSubmitted)
	var lead string
	for n := range 20 {
		lead = c.call(t, "POST", "/api/v1/leads", body(fmt.Sprintf("p%d@example.com", n))).id(t)
	}
	if a := c.call(t, "POST", "/api/v1/leads", body("p3@example.com")); a.status != http.StatusConflict {
		t.Errorf("POST of a duplicate = %v, want 409", a)
	}
	mustWait(t, r, webhook.LeadCreated, lead)
	mustWait(t, r, webhook.LeadEnriched, lead)

	api := client.New(client.Options{URL: c.URL, Key: c.key})
	defer api.Close()
	if i := mustBring(t, api, "email\nq1@example.com\nq2@example.com\n", client.ImportOptions{}); i.Created != 2 {
		t.Errorf("import = %+v, want 2 leads", i)
	}
	testwait.Until(t, "webhooks of the import come, and are recorded", func() bool {
		n, _ := r.Count()
		return n >= 42 && strings.Contains(string(c.call(t, "GET", "/api/v1/deliveries?state=pending", "").body), `"data":[]`)
	})

	from := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	before, _ := r.Count()
	if a := c.call(t, "POST", "/api/v1/replays", fmt.Sprintf(`{"from":%q,"states":["delivered"]}`, from)); a.status > 299 {
		t.Fatalf("POST replay = %v", a)
	}
	testwait.Until(t, "webhooks come again", func() bool { n, _ := r.Count(); return n >= before+42 })

	gone, err := loadgen.Receive(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Subscribe(t.Context(), c.URL, c.key, webhook.LeadCreated); err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for n := range 8 {
		c.call(t, "POST", "/api/v1/leads", body(fmt.Sprintf("r%d@example.com", n))).id(t)
	}
	testwait.Until(t, "the dashboard has the failing webhook", func() bool {
		a := request(t, "GET", c.AdminURL+"/admin/queues/api/queues/failing/retry_tasks", c.AdminToken, "")
		return strings.Contains(string(a.body), c.workspace)
	})
	if a := c.call(t, "DELETE", "/api/v1/leads/"+lead+"?erase=true", ""); a.status != http.StatusOK {
		t.Errorf("erasure = %v, want 200", a)
	}
	form := c.mustForm(t, "https://www.example.com")
	for origin, want := range map[string]int{"https://www.example.com": http.StatusOK,
		"https://other.example.com": http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", form, strings.NewReader(`{"email":"form@example.com"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("POST form from %s = %d, want %d", origin, res.StatusCode, want)
		}
	}
}

// mustDelete has the workspace erased.
func (c *tenant) mustDelete(t *testing.T) {
	t.Helper()
	if a := c.admin(t, "POST", "/workspaces/"+c.workspace+"/suspend", `{"reason":"left"}`); a.status != http.StatusOK {
		t.Fatalf("suspend = %v", a)
	}
	deletion := fmt.Sprintf(`{"name":%q,"withoutExport":true}`, t.Name())
	if a := c.admin(t, "POST", "/workspaces/"+c.workspace+"/deletion", deletion); a.status > 299 {
		t.Fatalf("deletion = %v", a)
	}
	testwait.Until(t, "the workspace is erased", func() bool {
		return strings.Contains(string(c.admin(t, "GET", "/deletions/"+c.workspace, "").body), `"state":"checking"`)
	})
}

// actOnQueues does what the dashboard offers.
func actOnQueues(t *testing.T, sys *devstack.System) {
	t.Helper()
	for _, action := range []string{"failing:pause", "failing:resume", "failing/retry_tasks:archive_all",
		"failing/archived_tasks:run_all", "upkeep/completed_tasks:delete_all"} {
		method := "POST"
		if strings.HasSuffix(action, "delete_all") {
			method = "DELETE"
		}
		if a := request(t, method, sys.AdminURL+"/admin/queues/api/queues/"+action, sys.AdminToken, ""); a.status > 299 {
			t.Errorf("%s %s = %v, want success", method, action, a)
		}
	}
}

// wantAdminPages looks at what administrators see of Redis.
func wantAdminPages(t *testing.T, sys *devstack.System, redisInfo string) {
	t.Helper()
	for path, want := range map[string]string{
		"/readyz":                              `"redis":"ok"`,
		"/metrics":                             `leadgate_store_up{store="redis"} 1`,
		"/admin/queues/api/queues":             `"queue":"webhook"`,
		"/admin/queues/api/redis_info":         redisInfo,
		"/admin/queues/api/servers":            `"webhook":1`,
		"/admin/queues/api/queue_stats":        `"enrich"`,
		"/admin/api/v1/stores":                 `"problem":""`,
		"/admin/api/v1/processes":              `"kind":"worker"`,
		"/admin/api/v1/workspaces?volume=true": `"id":"ws_`,
		"/admin/":                              "Overview",
	} {
		if a := request(t, "GET", sys.AdminURL+path, sys.AdminToken, ""); a.status != http.StatusOK ||
			!strings.Contains(string(a.body), want) {
			t.Errorf("GET %s = %d %.2000s, want %s", path, a.status, a.body, want)
		}
	}
	if a := request(t, "GET", sys.WorkerURL+"/readyz", "", ""); !strings.Contains(string(a.body), `"redis":"ok"`) {
		t.Errorf("GET /readyz of the worker = %v, want ok", a)
	}
}
