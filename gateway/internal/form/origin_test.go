package form_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	const site = "https://www.example.com"
	for _, tc := range []struct {
		origins form.Origins
		header  http.Header
		ok      bool
		cors    string
	}{
		{form.Origins{site}, header("Origin", site), true, site},
		{form.Origins{site}, header("Referer", site+"/form?x=1"), true, ""},
		{form.Origins{site}, header("Origin", "https://evil.example.com", "Referer", site+"/"), false, "*"},
		{form.Origins{site}, header("Origin", "null", "Referer", site+"/"), false, "*"},
		{form.Origins{site}, header("Origin", "http://www.example.com"), false, "*"},
		{form.Origins{site}, header("Origin", site+".evil.example.com"), false, "*"},
		{form.Origins{site}, header("Origin", site+":8443"), false, "*"},
		{form.Origins{site}, header(), false, "*"},
		{nil, header("Origin", site), false, "*"},
		{form.Origins{"*"}, header(), true, ""},
		{form.Origins{"*"}, header("Origin", "null"), true, "null"},
		{form.Origins{"*"}, header("Origin", "https://any.example.org"), true, "https://any.example.org"},
		{form.Origins{"*"}, header("Origin", "<script>"), true, "*"},
	} {
		t.Run(fmt.Sprint(tc.origins, tc.header), func(t *testing.T) {
			w := httptest.NewRecorder()
			err := tc.origins.Admit(w, tc.header)
			if (err == nil) != tc.ok || err != nil && !fault.Is(err, fault.Forbidden) ||
				w.Header().Get("Access-Control-Allow-Origin") != tc.cors || w.Header().Get("Vary") != "Origin" {
				t.Errorf("%v.Admit(%v) = %v, headers %v, want %v and %q", tc.origins, tc.header, err, w.Header(), tc.ok, tc.cors)
			}
			if err != nil && !strings.Contains(err.Error(), "allowedOrigins") {
				t.Errorf("%v does not say where to allow it", err)
			}
		})
	}
	p := &tenant.Principal{Form: &tenant.Form{}, Settings: tenant.Settings{AllowedOrigins: []string{"a"}}}
	if got := form.OriginsOf(p); len(got) != 1 || got[0] != "a" {
		t.Errorf("OriginsOf() = %v, want the workspace's", got)
	}
	p.Form.Origins = []string{"b"}
	if got := form.OriginsOf(p); len(got) != 1 || got[0] != "b" {
		t.Errorf("OriginsOf() = %v, want the form's own", got)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	const site = "https://www.example.com"
	origins, f := form.Origins{site, "http://localhost:3000"},
		tenant.Form{RedirectURL: "https://elsewhere.example.com/done"}
	from := header("Origin", site)
	for next, want := range map[string]string{
		"": f.RedirectURL, site + "/thanks?a=b#c": site + "/thanks?a=b#c", "/thanks": site + "/thanks", "thanks.html": site +
			"/thanks.html", "?ok": site + "/?ok",
		"http://localhost:3000/x": "http://localhost:3000/x", "//www.example.com/x": site + "/x",
		"HTTPS://WWW.example.com/x": "https://WWW.example.com/x",
		"https://evil.example.com/": "-", "//evil.example.com/": "-", "///evil.example.com/": site + "///evil.example.com/",
		"javascript:alert(1)": "-", "data:text/html,x": "-", "https:evil.example.com": "-", `/\evil.example.com`: site +
			"/%5Cevil.example.com",
		`\\evil.example.com`: site + "/%5C%5Cevil.example.com", "https://www.example.com@evil.example.com/": "-",
		"https://u:p@www.example.com/": "-", "ftp://www.example.com/": "-", "http://[": "-", "/a\nb": "-",
	} {
		t.Run(next, func(t *testing.T) {
			got, err := origins.Next(&form.Submission{Next: next}, f, from)
			if err != nil {
				got = "-"
			}
			if got != want {
				t.Errorf("Next(%q) = %q, %v, want %q", next, got, err, want)
			}
			if err != nil && fault.From(err).Fields()[0].Field != "_next" {
				t.Errorf("Next(%q) = %v, want a mistake about _next", next, err)
			}
		})
	}
	if _, err := origins.Next(&form.Submission{Next: "/x"}, f, header()); err == nil {
		t.Error("a path of an unknown site is taken")
	}
	if got, err := origins.Next(&form.Submission{Next: "/x", Page: site + "/deep/form"}, f, header()); got != site+"/x" {
		t.Errorf("Next() = %q, %v, want it on the page's site", got, err)
	}
	// Where every site may use a form, it leads back to the one it was sent from, and where its key leads.
	anyone := form.Origins{"*"}
	for next, want := range map[string]string{"/x": site + "/x", site + "/y": site + "/y",
		"https://elsewhere.example.com/z": "https://elsewhere.example.com/z", "https://any.example.org/": "-",
		"//any.example.org/": "-"} {
		t.Run(next, func(t *testing.T) {
			for _, h := range []http.Header{from, header("Referer", site+"/form")} {
				got, err := anyone.Next(&form.Submission{Next: next}, f, h)
				if err != nil {
					got = "-"
				}
				if got != want {
					t.Errorf("Next(%q) of a form for all = %q, %v, want %q", next, got, err, want)
				}
			}
		})
	}
	if got, err := anyone.Next(&form.Submission{Next: "/x", Page: "https://any.example.org/"}, f, header("Origin",
		"null")); err == nil || fault.From(err).Fields()[0].Field != "_next" {
		t.Errorf("Next() of a page nobody knows = %q, %v, want a mistake about _next", got, err)
	}
}

func TestClientOf(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for _, tc := range []struct {
		peer string
		xff  []string
		want string
	}{
		{"192.0.2.1:1", nil, "192.0.2.1"},
		{"192.0.2.1:1", []string{"198.51.100.7"}, "192.0.2.1"}, // not from a proxy of ours
		{"10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"1.1.1.1, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"1.1.1.1", "198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"1.1.1.1, nonsense, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"10.0.0.1:1", []string{"[2001:db8::5]:4711"}, "2001:db8::5"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"[2001:db8:ffff::1]:1", []string{"2001:db8::5"}, "2001:db8::5"},
		{"10.0.0.1:1", []string{strings.Repeat("10.0.0.9,", 5000)}, "10.0.0.1"},
		{"@", nil, "::"},
	} {
		t.Run(fmt.Sprintf("%s %.60q", tc.peer, tc.xff[:min(len(tc.xff), 3)]), func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.xff}}
			if got := form.ClientOf(r, trusted); got.String() != tc.want {
				t.Errorf("ClientOf(%s, %.60v) = %v, want %s", tc.peer, tc.xff, got, tc.want)
			}
		})
	}
}

func TestWantsJSON(t *testing.T) {
	t.Parallel()
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, tc := range []struct {
		header http.Header
		want   bool
	}{
		{header("Content-Type", urlencoded, "Accept", browser), false},
		{header("Content-Type", urlencoded, "Accept", "*/*"), false},
		{header("Content-Type", urlencoded), false},
		{header("Content-Type", "application/json; charset=utf-8"), true},
		{header("Content-Type", urlencoded, "Accept", "application/json"), true},
		{header("Content-Type", urlencoded, "Accept", "application/json;q=0.5, text/html"), false},
		{header("Content-Type", urlencoded, "Accept", "text/html;q=0.1", "Accept", "application/json"), true},
		{header("Content-Type", urlencoded, "Accept", "*/*", "Sec-Fetch-Mode", "cors"), true},
		{header("Content-Type", urlencoded, "Accept", browser, "Sec-Fetch-Mode", "navigate"), false},
		{header("Accept", ";;;q=x,application/json;q=x"), true},
	} {
		t.Run(fmt.Sprint(tc.header), func(t *testing.T) {
			if got := form.WantsJSON(tc.header); got != tc.want {
				t.Errorf("WantsJSON(%v) = %v, want %v", tc.header, got, tc.want)
			}
		})
	}
}
