package api_test

import (
	"bytes"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// mustHTML reads a page, or what a reader of Markdown that is not ours makes of one.
func mustHTML(t testing.TB, a answer) *html.Node {
	t.Helper()
	text := a.text
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/markdown") {
		var b bytes.Buffer
		if err := goldmark.New(goldmark.WithExtensions(extension.Table)).Convert([]byte(text), &b); err != nil {
			t.Fatal(err)
		}
		text = b.String()
	}
	page, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// said is what a part of the guide says, in order.
type said struct{ Texts, Cells, Samples []string }

// read adds what the elements say.
func (s *said) read(elements ...*html.Node) {
	for _, n := range elements {
		text := nodeText(n)
		plain := strings.Join(strings.Fields(text), " ")
		switch n.DataAtom {
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.P:
			s.Texts = append(s.Texts, plain)
		case atom.Th, atom.Td:
			s.Cells = append(s.Cells, plain)
		case atom.Pre:
			s.Samples = append(s.Samples, strings.TrimSuffix(text, "\n"))
		default:
			if n.DataAtom == atom.Div && nodeAttribute(n, "class") == "note" {
				s.Texts = append(s.Texts, plain)
				continue
			}
			s.read(slices.Collect(n.ChildNodes())...)
		}
	}
}

func nodeText(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func nodeAttribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func children(page *html.Node, of atom.Atom) []*html.Node {
	for n := range page.Descendants() {
		if n.DataAtom == of {
			return slices.Collect(n.ChildNodes())
		}
	}
	return nil
}

// Each topic is there as Markdown, says what the page says, with samples byte for byte, and its links lead to pages that
// are there.
func TestGuideAsMarkdown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sections := map[string][]*html.Node{} // by the Markdown page that their link leads to
	at := []*html.Node{}
	page := mustHTML(t, b.send(t, "", "GET", "/docs", ""))
	main := children(page, atom.Main)
	slices.Reverse(main)
	for _, n := range main { // from the end, because the link stands below the heading
		if n.Type == html.ElementNode {
			at = append(at, n)
		}
		if n.DataAtom == atom.H1 || n.DataAtom == atom.H2 {
			slices.Reverse(at)
			if len(at) < 2 || nodeAttribute(at[1], "class") != "markdown" {
				t.Fatalf("%s has no link to its Markdown", nodeText(n))
			}
			sections[nodeAttribute(at[1], "href")] = at
			at = nil
		}
	}
	const forms = "/docs/forms.md"
	sections[forms] = append(sections[forms], children(mustHTML(t, b.send(t, "", "GET", "/docs/forms", "")), atom.Main)...)
	index := b.send(t, "", "GET", "/llms.txt", "")
	whole := b.send(t, "", "GET", "/docs.md", "")
	if len(sections) != 22 || index.status != http.StatusOK || whole.status != http.StatusOK {
		t.Fatalf("%d topics, GET /llms.txt = %d, /docs.md = %d, want 22 and both there", len(sections), index.status, whole.status)
	}
	links := markdownLinks(index.text + whole.text)
	for address, elements := range sections {
		a := b.send(t, "", "GET", address, "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/markdown; charset=utf-8" ||
			!strings.HasPrefix(a.text, "# ") {
			t.Errorf("GET %s = %d %v, want Markdown that begins with its title", address, a.status, a.header)
			continue
		}
		var want, got, also said
		want.read(slices.DeleteFunc(elements, func(n *html.Node) bool {
			class := nodeAttribute(n, "class")
			return class == "op" || class == "cards" || class == "markdown"
		})...)
		got.read(children(mustHTML(t, a), atom.Body)...)
		labels := regexp.MustCompile(`(?m)^\*\*(.*)\*\*$`) // of samples that stand beside each other in the page
		for _, label := range labels.FindAllStringSubmatch(a.text, -1) {
			got.Texts = slices.DeleteFunc(got.Texts, func(text string) bool { return text == label[1] })
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want.Texts) < 2 {
			t.Errorf("%s (-the page +the Markdown):\n%s", address, diff)
		}
		also.read(children(mustHTML(t, whole), atom.Body)...)
		for _, sample := range want.Samples {
			if !slices.Contains(also.Samples, sample) {
				t.Errorf("/docs.md has no %q", sample)
			}
		}
		if !strings.Contains(index.text, "("+b.url+address+"): ") {
			t.Errorf("/llms.txt does not name %s, with what it is about", address)
		}
		links = append(links, markdownLinks(a.text)...)
	}
	slices.Sort(links)
	for _, link := range slices.Compact(links) {
		own, ok := strings.CutPrefix(link, b.url)
		if !ok && link != "https://www.standardwebhooks.com/" {
			t.Errorf("a link leads to %s, want a whole address", link)
		}
		if ok && (path.Ext(own) == "" && own != "/docs/explorer" || b.send(t, "", "GET", own, "").status != http.StatusOK) {
			t.Errorf("a link leads to %s, want a topic that is there", link)
		}
	}
}

func markdownLinks(text string) (links []string) {
	for _, found := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		links = append(links, found[1])
	}
	return links
}

// All pages with the installation's address in them can be kept, for that address.
func TestPagesOfTheGuideAreTagged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, address := range []string{"/docs", "/docs.md", "/docs/create.md", "/docs/forms", "/llms.txt"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := b.do(t, req)
		if first.status != http.StatusOK || strings.Contains(first.text, "your-domain.com") ||
			first.header.Get("Cache-Control") != "private, max-age=300" ||
			!slices.Equal(first.header.Values("Vary"), []string{"X-Forwarded-Proto", "Accept-Encoding"}) {
			t.Errorf("GET %s = %d, headers %v, want it kept for its own address", address, first.status, first.header)
		}
		req.Header.Set("If-None-Match", first.header.Get("ETag"))
		if again := b.do(t, req); again.status != http.StatusNotModified {
			t.Errorf("GET %s with its tag = %d, want 304", address, again.status)
		}
		req.Header.Set("X-Forwarded-Proto", "https")
		if secure := b.do(t, req); address != "/docs/forms" && (secure.status != http.StatusOK ||
			!strings.Contains(secure.text, strings.Replace(b.url, "http://", "https://", 1))) {
			t.Errorf("GET %s by https = %d, want another page", address, secure.status)
		}
		req.Host = "example.com;evil"
		if odd := b.do(t, req); strings.Contains(odd.text, "evil") {
			t.Errorf("GET %s for an odd host has it", address)
		}
	}
	b.send(t, "", "GET", "/docs/nothing.md", "").wantError(t, "an unknown topic", 404, "NOT_FOUND")
}
