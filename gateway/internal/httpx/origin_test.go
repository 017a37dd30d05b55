package httpx_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"leadgate/gateway/internal/httpx"
)

func TestOrigin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		public, host, proto string
		tls                 bool
		want                string
	}{
		"a host and port":      {host: "127.0.0.1:8080", want: "http://127.0.0.1:8080"},
		"IPv6":                 {host: "[::1]:8080", want: "http://[::1]:8080"},
		"TLS here":             {host: "leads.example.com", tls: true, want: "https://leads.example.com"},
		"TLS at a proxy":       {host: "leads.example.com", proto: "https", want: "https://leads.example.com"},
		"TLS at the first":     {host: "leads.example.com", proto: "HTTPS, http", want: "https://leads.example.com"},
		"TLS behind a proxy":   {host: "leads.example.com", proto: "http, https", want: "http://leads.example.com"},
		"a proto that is none": {host: "leads.example.com", proto: "javascript", want: "http://leads.example.com"},
		"a long host":          {host: strings.Repeat("a", 260), want: httpx.ExampleOrigin},
		"no host":              {want: httpx.ExampleOrigin},
		"a command":            {host: "example.com;evil", want: httpx.ExampleOrigin},
		"a substitution":       {host: "$(evil)", want: httpx.ExampleOrigin},
		"markup":               {host: `"><script>`, want: httpx.ExampleOrigin},
		"a path":               {host: "example.com/evil", want: httpx.ExampleOrigin},
		"another user":         {host: "example.com@evil.example", want: httpx.ExampleOrigin},
		"the setting":          {public: "https://leads.example.com", host: "10.0.0.7:8080", want: "https://leads.example.com"},
		"the setting, hostile": {public: "https://leads.example.com", host: "evil.example", proto: "http", want: "https://leads.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Host: test.host, Header: http.Header{"X-Forwarded-Host": {"evil.example"}}}
			if test.proto != "" {
				r.Header.Set("X-Forwarded-Proto", test.proto)
			}
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := httpx.Origin(r, test.public); got != test.want {
				t.Errorf("Origin() = %q, want %q", got, test.want)
			}
		})
	}
}
