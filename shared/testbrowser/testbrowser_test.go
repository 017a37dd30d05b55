package testbrowser_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"leadgate/shared/testbrowser"
)

// mustSite serves one page with a policy, and returns its address.
func mustSite(t *testing.T, policy, page string) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		io.WriteString(w, "<!doctype html><html lang=en><title>A page</title><main>"+page+"</main>")
	}))
	t.Cleanup(site.Close)
	return site.URL
}

func TestPageDoesWhatAPersonDoes(t *testing.T) {
	t.Parallel()
	p := testbrowser.New(t)
	p.Open(mustSite(t, "", `<h1>Hello</h1><form>
		<label>Name <input name=name value=old></label>
		<label>Text <textarea name=text></textarea></label>
		<label>Kind <select name=kind><option value=1>one<option value=2>two</select></label>
		<button>Send</button></form><p id=said></p>
		<script>
			let pressed = 0
			document.addEventListener('keydown', () => pressed++)
			document.forms[0].onsubmit = event => {
				event.preventDefault()
				said.textContent = Object.values(Object.fromEntries(new FormData(event.target))).join('|')
			}
		</script>`))
	if got := p.Text("h1"); got != "Hello" {
		t.Errorf("Text(h1) = %q, want Hello", got)
	}
	p.Fill("[name=name]", "Zoë")
	p.Fill("[name=text]", "a\nb")
	p.Fill("[name=kind]", "two")
	p.Click("button")
	if got := p.Text("#said"); got != "Zoë|a b|2" {
		t.Errorf("the form has %q, want what was filled in", got)
	}
	p.Fill("[name=name]", "")
	p.Press("x")
	p.Press("Enter")
	p.WaitText("x|a b|2")
	p.Press("Shift+Tab")
	p.Press("Tab")
	p.Press("Tab")
	p.Press("Tab")
	p.Press("Tab")
	var focused struct {
		Tag     string
		Pressed int
	}
	p.Eval(`Promise.resolve({ tag: document.activeElement.tagName, pressed })`, &focused)
	if focused.Tag != "BUTTON" || focused.Pressed < 12 {
		t.Errorf("focused = %+v, want the button after every key", focused)
	}
	if got := p.Problems(); got != nil {
		t.Errorf("Problems() = %q, want none", got)
	}
}

func TestPageIsSeenAsAsked(t *testing.T) {
	t.Parallel()
	p := testbrowser.New(t)
	p.Open(mustSite(t, "", `<meta name=viewport content="width=device-width"><h1>Hello</h1>`))
	look := func() (seen string) {
		p.Eval(`innerWidth + ' ' + matchMedia('(prefers-color-scheme: dark)').matches`, &seen)
		return seen
	}
	got := []string{look()}
	p.Phone()
	p.Dark()
	got = append(got, look())
	path := p.Screenshot("phone")
	p.Wide()
	p.Light()
	got = append(got, look())
	if want := []string{"1280 false", "390 true", "1280 false"}; !slices.Equal(got, want) {
		t.Errorf("width and darkness = %q, want %q", got, want)
	}
	if text, err := os.ReadFile(path); err != nil || http.DetectContentType(text) != "image/png" {
		t.Errorf("Screenshot() = %s, %v, want a picture", path, err)
	}
}

// Every problem is told once, and is there at once when its cause is over.
func TestProblems(t *testing.T) {
	t.Parallel()
	other := mustSite(t, "", "")
	for name, c := range map[string]struct{ policy, page, want string }{
		"console.error":  {"", `<script>console.error('no', 7, {a: 1})</script>`, "console: no 7 Object"},
		"exception":      {"", `<script>throw new TypeError('bad')</script>`, "exception: Uncaught TypeError: bad"},
		"promise":        {"", `<script>Promise.reject(new Error('late'))</script>`, "exception: Uncaught (in promise) Error: late"},
		"missing":        {"", `<img src=/nothing.png alt="">`, "network: Failed to load resource"},
		"inline script":  {"script-src 'self'", `<script>1</script>`, "script-src 'self'"},
		"inline style":   {"style-src 'self'", `<p style="color:red">`, "style-src 'self'"},
		"another origin": {"", `<img src="` + other + `/x.png" alt="">`, "request to another origin: GET " + other + "/x.png"},
		"dialog":         {"", `<script>alert('hello')</script>`, "dialog: hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testbrowser.New(t)
			p.Open(mustSite(t, c.policy, c.page))
			if got := fmt.Sprint(p.Problems()); !strings.Contains(got, c.want) {
				t.Errorf("Problems() = %s, want %s", got, c.want)
			}
			if got := p.Problems(); got != nil {
				t.Errorf("Problems() again = %q, want none", got)
			}
		})
	}
	p := testbrowser.New(t)
	p.Allow(other)
	p.Open(mustSite(t, "", `<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt=""><iframe title=x src="`+other+`"></iframe>
		<script>console.warn('careful')</script>`))
	if got := p.Problems(); got != nil {
		t.Errorf("Problems() = %q, want none", got)
	}
}

func TestEveryHostIsThisMachine(t *testing.T) {
	t.Parallel()
	p := testbrowser.New(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(mustSite(t, "", "<h1>Shop</h1>"), "http://"), ":")
	p.Open("http://shop.example.com:" + port)
	if got := p.Text("h1"); got != "Shop" {
		t.Errorf("a page of another host shows %q, want Shop", got)
	}
}

// Two pages share neither cookies nor storage.
func TestPagesAreStrangers(t *testing.T) {
	t.Parallel()
	site := mustSite(t, "", "")
	first, second := testbrowser.New(t), testbrowser.New(t)
	first.Open(site)
	first.Eval(`document.cookie = 'a=1'; localStorage.b = 2`, nil)
	second.Open(site)
	var kept string
	if second.Eval(`document.cookie + localStorage.length`, &kept); kept != "0" {
		t.Errorf("another page has %q, want nothing", kept)
	}
}

// A meter tells when something was painted and how much was sent, every time as if for the first time.
func TestMeter(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long.css" {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Type", "text/css")
			io.WriteString(w, strings.Repeat(" ", 10_000))
			return
		}
		k, err := r.Cookie("session")
		if err != nil {
			http.Error(w, "nobody is signed in", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<link rel=stylesheet href=/long.css><h1>Hello</h1>"+strings.Repeat(k.Value, 1000))
	}))
	t.Cleanup(site.Close)
	m, err := testbrowser.NewMeter(site.URL, []*http.Cookie{{Name: "session", Value: "s"}})
	if errors.Is(err, testbrowser.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 2 {
		got, err := m.Load(site.URL + "/")
		if err != nil || got.FirstPaint <= 0 || got.Bytes < 11_000 || got.Bytes > 15_000 {
			t.Errorf("Load() = %+v, %v, want the page's 1 kB and the style's 10 kB", got, err)
		}
	}
}

func TestAxe(t *testing.T) {
	t.Parallel()
	p := testbrowser.New(t)
	p.Open(mustSite(t, "script-src 'self'", `<h1>Form</h1><form><input name=a><button></button></form>
		<p style="color:#aaa;background:#fff">pale</p>`))
	got := strings.Join(p.Axe(), "\n")
	for _, want := range []string{"label (critical)", "button-name (critical)", "color-contrast (serious)", `<input name="a">`} {
		if !strings.Contains(got, want) {
			t.Errorf("Axe() = %s, want %s", got, want)
		}
	}
	p.Open(mustSite(t, "", `<h1>Form</h1><label>A <input name=a></label>`))
	if got := p.Axe(); len(got) != 0 {
		t.Errorf("Axe() = %q, want none", got)
	}
}

// What is replaced all the time, as by news, is clicked all the same, each time once.
func TestClickOnWhatIsReplaced(t *testing.T) {
	t.Parallel()
	p := testbrowser.New(t)
	p.Open(mustSite(t, "", `<div id=news></div><script>
		let clicks = 0
		setInterval(() => { news.innerHTML = '<button onpointerdown="clicks++">Go</button>' }, 1)</script>`))
	const n = 30
	for range n {
		p.Click("#news button")
	}
	var clicks int
	if p.Eval("clicks", &clicks); clicks != n {
		t.Errorf("%d clicks came, want %d", clicks, n)
	}
}
