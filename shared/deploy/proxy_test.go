package deploy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/testwait"
)

// replaced returns a file of proxy/ with other addresses in it.
func replaced(t *testing.T, file string, pairs ...string) string {
	t.Helper()
	text := mustRead(t, file)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s has no %q", file, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func mustWrite(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustListen(t *testing.T) string {
	t.Helper()
	address, err := devstack.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// certificate writes a certificate for leads.example.com and its key into dir.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"leads.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return mustWrite(t, filepath.Join(dir, "tls.crt"), block("CERTIFICATE", der)),
		mustWrite(t, filepath.Join(dir, "tls.key"), block("PRIVATE KEY", secret))
}

// backend is a server that says what a proxy sends, and gives answers in which a proxy can be seen to buffer.
func backend(t *testing.T) string {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream": // whoever buffers waits for the end, which comes when the client has seen the beginning
			fmt.Fprint(w, "begin\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/broken":
			fmt.Fprint(w, "begin\n")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			n, _ := io.Copy(io.Discard, r.Body) // to its end, or the proxy ends the client's connection
			fmt.Fprintf(w, "%s host=%s for=%s proto=%s length=%d", r.Proto, r.Host, r.Header.Get("X-Forwarded-For"),
				r.Header.Get("X-Forwarded-Proto"), n)
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// tryProxy holds what a proxy sends on against what the gateway needs: HTTP/1.1, the host, who sent it and over what,
// bodies of any size, streams that are not kept back, and answers that are seen to break off, unless hidesEnds.
func tryProxy(t *testing.T, address string, hidesEnds bool) {
	t.Helper()
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "leads.example.com"}, //nolint:gosec // its own
	}}
	defer c.CloseIdleConnections()
	ask := func(path, body string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "leads.example.com"
		r.Header.Set("X-Forwarded-For", "203.0.113.9") // invented
		return c.Do(r)
	}
	testwait.Until(t, "the proxy", func() bool {
		res, err := ask("/", "")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	text := func(res *http.Response, err error) (string, error) {
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b := make([]byte, 1<<10)
		n, err := res.Body.Read(b)
		return string(b[:n]), err
	}
	got, _ := text(ask("/", strings.Repeat("x", 3<<20)))
	for _, want := range []string{"HTTP/1.1 ", "host=leads.example.com", "127.0.0.1 ", "proto=https", "length=3145728"} {
		if !strings.Contains(got, want) {
			t.Errorf("a body of 3 MiB came as %q, want %q in it", got, want)
		}
	}
	if got, err := text(ask("/stream", "")); got != "begin\n" {
		t.Errorf("the beginning of a stream = %q, %v, want it before its end", got, err)
	}
	if hidesEnds {
		return
	}
	res, err := ask("/broken", "")
	if err == nil {
		_, err = res.Body.Read(make([]byte, 1<<10))
		for err == nil {
			_, err = res.Body.Read(make([]byte, 1<<10))
		}
		res.Body.Close()
	}
	if err == nil || err.Error() == "EOF" {
		t.Errorf("an answer that broke off ends with %v, want an error", err)
	}
}

// mustStart starts a program that is killed when t ends.
func mustStart(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, out.String())
		}
	})
}

func TestNginx(t *testing.T) {
	t.Parallel()
	nginx := mustTool(t, "nginx", "nginx")
	dir := t.TempDir()
	listen, plain := mustListen(t), mustListen(t)
	cert, key := certificate(t, dir)
	site := replaced(t, "proxy/nginx.conf", "127.0.0.1:8080", backend(t), "listen 443", "listen "+listen,
		"listen 80;", "listen "+plain+";", "/etc/nginx/tls/leads.example.com.crt", cert,
		"/etc/nginx/tls/leads.example.com.key", key)
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	file := mustWrite(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf("daemon off; worker_processes 1; pid %s/pid;\n"+
		"error_log stderr; events {}\nhttp { access_log off;\n%s%s}\n", dir, temp.String(), site))
	mustRun(t, nginx, "-t", "-p", dir, "-e", "stderr", "-c", file)
	mustStart(t, exec.CommandContext(t.Context(), nginx, "-p", dir, "-e", "stderr", "-g", "master_process off;", "-c", file))
	tryProxy(t, listen, false)
}

func TestCaddy(t *testing.T) {
	t.Parallel()
	caddy := mustTool(t, "caddy", "caddy")
	dir := t.TempDir()
	mustRun(t, caddy, "validate", "--adapter", "caddyfile", "--config", "proxy/Caddyfile")
	address := mustListen(t)
	_, port, _ := net.SplitHostPort(address)
	cert, key := certificate(t, dir)
	site := replaced(t, "proxy/Caddyfile", "leads.example.com {", "https://leads.example.com:"+port+" {\n\tbind 127.0.0.1\n\ttls "+
		cert+" "+key, "127.0.0.1:8080", backend(t))
	file := mustWrite(t, filepath.Join(dir, "Caddyfile"), "{\n\tadmin off\n\tauto_https off\n\tstorage file_system "+dir+
		"\n}\n"+site)
	cmd := exec.CommandContext(t.Context(), caddy, "run", "--adapter", "caddyfile", "--config", file)
	cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "HOME="+dir)
	mustStart(t, cmd)
	// Older ones end an answer that broke off as if it were whole, which the Caddyfile says.
	version := strings.TrimPrefix(mustRun(t, caddy, "version"), "v")
	old := regexp.MustCompile(`^2\.([0-6]\.|7\.[0-5]\b)`).MatchString(version)
	if old {
		t.Logf("Caddy %s is too old to show that an answer broke off: not tested", strings.TrimSpace(version))
	}
	tryProxy(t, address, old)
}
