package api

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/markdown"
)

// docsText is the guide, the one source of its page and of all that is Markdown: a topic is what is below one of the
// headings that its contents link.
//
//go:embed docs.html
var docsText string

// topic is a part of the guide that has a Markdown page of its own.
type topic struct {
	id, name, about string // as the contents have them
	elements        []*html.Node
}

// formsPage is the guide's second page, whose Markdown stands with the topic of forms.
const (
	formsPage  = "/docs/forms"
	formsTopic = "forms"
)

// guide is docs.html and docs/forms.html, read.
type guide struct {
	topics []topic
	ids    map[string]string // to which topic each id belongs
	forms  []*html.Node      // of formsPage
}

// guidePages returns the pages of the guide by their addresses, as HTML and as Markdown.
func guidePages() (map[string]string, error) {
	formsText, err := docsFiles.ReadFile("docs/forms.html")
	if err != nil {
		return nil, err
	}
	g, err := readGuide(docsText, string(formsText))
	if err != nil {
		return nil, fmt.Errorf("read the guide: %w", err)
	}
	pages := map[string]string{"/docs": withMarkdownLinks(docsText), formsPage: string(formsText)}
	for _, t := range g.topics {
		if pages["/docs/"+t.id+".md"], err = g.markdown(t, atom.H1); err != nil {
			return nil, err
		}
		within, err := g.markdown(t, atom.H2)
		if err != nil {
			return nil, err
		}
		pages["/docs.md"] += within + "\n"
	}
	pages["/llms.txt"], err = g.llmsText()
	return pages, err
}

// markdown writes a topic; its heading is an h1 where it has a page of its own, and an h2 within the whole guide.
func (g *guide) markdown(t topic, heading atom.Atom) (string, error) {
	level := 1
	if heading == atom.H1 && t.elements[0].DataAtom == atom.H2 {
		level = 0
	}
	text, err := markdown.Convert(t.elements, markdown.Options{Level: level, Link: g.link})
	if err == nil && t.id == formsTopic {
		var more string
		more, err = markdown.Convert(g.forms, markdown.Options{Level: level + 2, Link: g.link})
		text += "\n" + more
	}
	if err != nil {
		return "", fmt.Errorf("topic %s: %w", t.id, err)
	}
	return text, nil
}

// readGuide cuts the guide into topics.
func readGuide(docs, forms string) (*guide, error) {
	page, err := html.Parse(strings.NewReader(docs))
	if err != nil {
		return nil, err
	}
	second, err := html.Parse(strings.NewReader(forms))
	if err != nil {
		return nil, err
	}
	g := &guide{ids: map[string]string{}, forms: content(second)}
	for n := range page.Descendants() {
		if href := attribute(n, "href"); n.DataAtom == atom.A && n.Parent.DataAtom == atom.Nav && strings.HasPrefix(href, "#") {
			g.topics = append(g.topics, topic{id: href[1:], name: n.FirstChild.Data, about: attribute(n, "title")})
		}
	}
	at := 0
	for _, n := range content(page) {
		id := attribute(n, "id")
		if i := slices.IndexFunc(g.topics, func(t topic) bool { return t.id == id }); i >= 0 {
			at = i
		}
		g.topics[at].elements = append(g.topics[at].elements, n)
		g.ids[id] = g.topics[at].id
	}
	for _, t := range g.topics {
		if len(t.elements) == 0 {
			return nil, fmt.Errorf("no heading has the id %s", t.id)
		}
	}
	return g, nil
}

// content returns the elements of main.
func content(page *html.Node) (found []*html.Node) {
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Parent.DataAtom == atom.Main {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// link leads from one Markdown page to another, and from there to what is none. It is whole, so that it works
// wherever the page is kept.
func (g *guide) link(href string) string {
	path, id, _ := strings.Cut(href, "#")
	switch {
	case path == formsPage:
		path += ".md"
	case (path == "" || path == "/docs") && id != "":
		path = "/docs/" + g.ids[id] + ".md"
	}
	if strings.HasPrefix(path, "/") {
		return httpx.ExampleOrigin + path
	}
	return href
}

var topicHeading = regexp.MustCompile(`<h[12] id="([a-z-]+)">.*</h[12]>`)

// withMarkdownLinks adds a link to its Markdown to each topic.
func withMarkdownLinks(text string) string {
	return topicHeading.ReplaceAllString(text, `$0`+"\n"+`<a class="markdown" href="/docs/$1.md">This topic as Markdown</a>`)
}

// llmsText is the guide's contents for programs that read (llmstxt.org).
func (g *guide) llmsText() (string, error) {
	first := g.topics[0].elements
	i := slices.IndexFunc(first, func(n *html.Node) bool { return attribute(n, "class") == "lead" })
	if i < 0 {
		return "", errors.New("the first topic has no summary")
	}
	summary, err := markdown.Convert(first[i:i+1], markdown.Options{Level: 1, Link: g.link})
	if err != nil {
		return "", err
	}
	list := ""
	for _, t := range g.topics {
		list += fmt.Sprintf("- [%s](%s/docs/%s.md): %s\n", t.name, httpx.ExampleOrigin, t.id, t.about)
	}
	return fmt.Sprintf(`# leadgate

> %[1]s
The API is at %[2]s/api/v1. Each request has a key of a workspace in its header: Authorization: Bearer sk-workspace_...

## Guide

%[3]s
## Reference

- [OpenAPI 3.1](%[2]s/openapi.json): every operation, its fields, limits and errors, with examples

## Optional

- [The whole guide](%[2]s/docs.md): all topics above in one file
`, summary, httpx.ExampleOrigin, list), nil
}
