package markdown_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"leadgate/gateway/internal/markdown"
)

func convert(t *testing.T, text string) (string, error) {
	t.Helper()
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(text), body)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		body.AppendChild(n)
	}
	return markdown.Convert(slices.Collect(body.ChildNodes()), markdown.Options{Level: 1,
		Link: func(href string) string { return "https://example.com" + href }})
}

// What a reader of Markdown that is not ours makes of it is what it was.
func TestConvert(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a paragraph":      "<p>one\n two <b>three</b> <a href=\"https://example.com/x\">four</a>, five</p>",
		"what has meaning": "<p>*a* _b_ `c` [d](e) &lt;i&gt; f\\g snake_case 2 * 3 * 4</p>",
		"code":             "<p><code>*a* _b_ &lt;i&gt; \\ |</code> and <code>a `b` c</code></p>",
		"headings":         "<h1>One</h1><h2>Two</h2>",
		"a sample":         "<pre><code>a  b\n\n\tc | * _ &lt;i&gt; \\\n# d\n</code></pre>",
		"a fence in it":    "<pre><code>```\na\n````\n</code></pre>",
		"a list":           "<ul><li>one <code>two</code></li><li>three</li></ul>",
		"a table": "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>" +
			"<tr><td>c | d</td><td><code>;|</code></td></tr><tr><td></td><td>e</td></tr></tbody></table>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "a paragraph" {
				text = strings.Replace(text, "https://example.com", "", 1)
			}
			got, err := convert(t, text)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := goldmark.New(goldmark.WithExtensions(extension.Table)).Convert([]byte(got), &b); err != nil {
				t.Fatal(err)
			}
			if want, back := plain(t, text), plain(t, b.String()); want != back {
				t.Errorf("%s\nis read as\n%s\nwant\n%s", got, back, want)
			}
		})
	}
}

// plain writes HTML the same way, however it was written.
func plain(t *testing.T, text string) string {
	t.Helper()
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(text), body)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var write func(n *html.Node, sample bool)
	write = func(n *html.Node, sample bool) {
		words := strings.Join(strings.Fields(n.Data), " ")
		switch {
		case n.Type == html.TextNode && sample:
			b.WriteString(n.Data)
			return
		case n.Type == html.TextNode && words != "":
			b.WriteString(words + "\n")
			return
		case n.Type == html.TextNode:
			return
		}
		b.WriteString("<" + strings.NewReplacer("strong", "b").Replace(n.Data) + ">\n")
		for c := range n.ChildNodes() {
			write(c, sample || n.DataAtom == atom.Pre)
		}
		b.WriteString("</>\n")
	}
	for _, n := range nodes {
		write(n, false)
	}
	return b.String()
}

// What the guide is not made of is not left out without a word.
func TestConvertRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<p>a <img src=x></p>", "<video></video>", "<div class=unknown>a</div>", "loose text",
		"<div class=op><b>GET</b></div>", "<div class=tabs><label>a</label></div>", "<div class=tabs><pre>a</pre></div>"} {
		if got, err := convert(t, text); err == nil {
			t.Errorf("Convert(%s) = %q, want an error", text, got)
		}
	}
}
