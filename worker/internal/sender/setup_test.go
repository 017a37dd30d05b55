package sender_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
)

// loopback lets webhooks go to this machine, as a developer would.
func loopback() webhook.Allow {
	return webhook.Allow{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		HTTP: true}
}

func mustSender(t *testing.T, d sender.Deps) *sender.Sender {
	t.Helper()
	d.Now, d.Parallel = time.Now, 16
	s := sender.New(d)
	t.Cleanup(s.Close)
	return s
}

func mustServe(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func endpoint(url string) *webhook.Endpoint {
	return &webhook.Endpoint{WorkspaceID: id.New(), ID: id.New(), URL: url, Secret: webhook.NewSecret(), Enabled: true}
}

func job() *webhook.DueDelivery {
	return &webhook.DueDelivery{DeliveryID: id.New(), EventID: id.New(), EventType: webhook.LeadCreated,
		EventAt: time.Now(), Data: []byte(`{"id":"lead_1"}`)}
}

// mustListen makes a receiver that speaks for itself in each connection, which ends when speak does.
func mustListen(t *testing.T, speak func(c net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var speaking sync.WaitGroup
	t.Cleanup(func() { l.Close(); cancel(); speaking.Wait() })
	speaking.Go(func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			speaking.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				speak(c)
			})
		}
	})
	return "http://" + l.Addr().String() + "/"
}

// readRequest reads one request and returns its head as it came.
func readRequest(in *bufio.Reader) (head string, err error) {
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return head, err
		}
		head += line
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return head, err
	}
	_, err = io.CopyN(io.Discard, in, req.ContentLength)
	return head, err
}

// mustResolve makes a resolver whose answers come from answer, asked with the name and the number of the question from
// 1; an invalid address says that the name does not exist.
func mustResolve(t *testing.T, answer func(name string, n int) netip.Addr) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for asked := 0; ; {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) != nil || len(q.Questions) != 1 {
				continue
			}
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true},
				Questions: q.Questions}
			if name := q.Questions[0]; name.Type == dnsmessage.TypeA || name.Type == dnsmessage.TypeAAAA {
				if name.Type == dnsmessage.TypeA {
					asked++
				}
				head := dnsmessage.ResourceHeader{Name: name.Name, Type: name.Type, Class: name.Class}
				switch to := answer(name.Name.String(), asked); {
				case !to.IsValid():
					reply.RCode = dnsmessage.RCodeNameError
				case to.Is4() && name.Type == dnsmessage.TypeA:
					reply.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: to.As4()}}}
				case to.Is6() && name.Type == dnsmessage.TypeAAAA:
					reply.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: to.As16()}}}
				}
			}
			if packed, err := reply.Pack(); err == nil {
				pc.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}
