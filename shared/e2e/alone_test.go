package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// The tests of this file are not parallel: they need the system, or a machine, that nobody else uses.

// No sweep is waited for: those come every 2 s.
func TestWebhookComesWithoutASweep(t *testing.T) {
	c := mustTenant(t)
	r := c.mustReceive(t)
	var delays []time.Duration
	for n := range 21 {
		sent := time.Now()
		lead := c.call(t, "POST", "/api/v1/leads", body(fmt.Sprintf("fast.%d@example.com", n))).id(t)
		delays = append(delays, mustWait(t, r, webhook.LeadCreated, lead).First.Sub(sent))
		mustWait(t, r, webhook.LeadEnriched, lead)
	}
	slices.Sort(delays)
	t.Logf("lead.created after the POST: p50 %v, slowest %v", delays[10], delays[20])
	if delays[10] > time.Second {
		t.Errorf("half of lead.created came later than %v after the POST, want 1s", delays[10])
	}
}

// held is a request whose head the gateway has taken and whose body it waits for.
type held struct {
	net.Conn
	r    *bufio.Reader
	body string
}

func (c *tenant) mustHold(t *testing.T, body string) *held {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn,
		"POST /api/v1/leads HTTP/1.1\r\nHost: e2e\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", c.key, len(body))
	h := &held{conn, bufio.NewReader(conn), body}
	res, err := http.ReadResponse(h.r, nil)
	if err != nil || res.StatusCode != http.StatusContinue {
		t.Fatalf("the gateway does not ask for the body: %v, %v", res, err)
	}
	return h
}

// finish sends the body and returns the answer's status.
func (h *held) finish() (int, error) {
	if _, err := h.Write([]byte(h.body)); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(h.r, nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// poster posts one lead after the other until its connection ends.
type poster struct {
	made       []string // leads
	unanswered string   // email
	other      int      // a status that is not 201
}

func (c *tenant) post(i int, p *poster) {
	conn, err := loadgen.Dial(strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		return
	}
	defer conn.Close()
	for n := 0; p.other == 0; n++ {
		email := fmt.Sprintf("load.%d.%d@example.com", i, n)
		got, err := conn.Post("/api/v1/leads", c.key, []byte(body(email)))
		switch {
		case err != nil:
			p.unanswered = email
			return
		case got.Status != http.StatusCreated:
			p.other = got.Status
		default:
			lead, _ := got.Lead() // "" can not be read below
			p.made = append(p.made, lead)
		}
	}
}

func TestTerminatedGatewayFinishesWhatItAccepted(t *testing.T) {
	c := mustTenant(t)
	var loading sync.WaitGroup
	posters := make([]poster, 16)
	for i := range posters {
		loading.Go(func() { c.post(i, &posters[i]) })
	}
	var accepted []*held
	for n := range 20 {
		accepted = append(accepted, c.mustHold(t, body(fmt.Sprintf("held.%d@example.com", n))))
	}
	stopped := make(chan error, 1)
	go func() { stopped <- c.Gateway().Stop() }() // SIGTERM
	for {                                         // until it takes no more
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
		if err != nil {
			break
		}
		conn.Close()
	}
	for _, h := range accepted {
		if status, err := h.finish(); err != nil || status != http.StatusCreated {
			t.Errorf("a request accepted before SIGTERM = %d, %v, want 201", status, err)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("the gateway's end = %v, want exit code 0", err)
	}
	loading.Wait()
	if err := c.Gateway().Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	answered := 0
	for i := range posters {
		p := &posters[i]
		if p.other != 0 {
			t.Errorf("a request during the stop was answered %d, want 201 or nothing", p.other)
		}
		for _, lead := range p.made {
			answered++
			if got := c.call(t, "GET", "/api/v1/leads/"+lead, ""); got.status != http.StatusOK {
				t.Errorf("lead %s was answered 201, then GET = %v", lead, got)
			}
		}
		if p.unanswered == "" {
			continue
		}
		if got := c.call(t, "POST", "/api/v1/leads", body(p.unanswered)); got.status != http.StatusCreated {
			t.Errorf("posting again what had no answer = %v, want 201: it was accepted and its connection reset", got)
		}
	}
	if answered == 0 {
		t.Error("no load: nothing was answered before the stop")
	}
	t.Logf("%d leads answered under load and %d held over SIGTERM", answered, len(accepted))
	for n := range accepted {
		if got := c.call(t, "POST", "/api/v1/leads", body(fmt.Sprintf("held.%d@example.com",
			n))); got.status != http.StatusConflict {
			t.Errorf("posting a held lead again = %v, want 409", got)
		}
	}
}
