// Package markdown writes the HTML of the guide as Markdown: CommonMark, with the tables of GitHub. It knows what the
// guide is made of and refuses the rest, so that nothing is left out unnoticed.
package markdown

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Options of Convert.
type Options struct {
	Level int                      // of the heading that an h1 becomes, 1 or more; -1 for h2 makes it the first
	Link  func(href string) string // what a link's address becomes
}

// Convert writes the elements, which are neighbours.
func Convert(elements []*html.Node, o Options) (string, error) {
	w := &writer{Options: o}
	for _, n := range elements {
		if err := w.block(n); err != nil {
			return "", err
		}
	}
	return w.out.String(), nil
}

type writer struct {
	Options
	out strings.Builder
	op  bool // the last line is an operation; one that follows stands below it
}

// paragraph writes a block, a blank line away from the one before.
func (w *writer) paragraph(text string) {
	if w.out.Len() > 0 {
		w.out.WriteString("\n")
	}
	w.out.WriteString(text + "\n")
	w.op = false
}

func (w *writer) block(n *html.Node) error {
	if n.Type == html.CommentNode || n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" {
		return nil
	}
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4:
		level := int(n.Data[1]-'0') - 1 + w.Level
		return w.text(strings.Repeat("#", max(1, level))+" ", n)
	case atom.P:
		return w.text("", n)
	case atom.Pre:
		w.code(n)
		return nil
	case atom.Ul:
		return w.list(n)
	case atom.Table:
		return w.table(n)
	case atom.Div:
		return w.division(n)
	}
	return unknown(n)
}

func unknown(n *html.Node) error {
	return fmt.Errorf("an element <%s class=%q> with the text %.60q has no Markdown", n.Data, attribute(n, "class"), textOf(n))
}

// text writes a block of one line.
func (w *writer) text(before string, n *html.Node) error {
	line, err := w.inline(n)
	if err == nil {
		w.paragraph(before + line)
	}
	return err
}

// division writes what a div groups, by its class.
func (w *writer) division(n *html.Node) error {
	switch class, _, _ := strings.Cut(attribute(n, "class"), " "); class {
	case "note":
		return w.text("> ", n)
	case "op":
		return w.operation(n)
	case "tabs":
		return w.tabs(n)
	case "cards":
		return w.cards(n)
	case "wide":
		for c := range n.ChildNodes() {
			if err := w.block(c); err != nil {
				return err
			}
		}
		return nil
	}
	return unknown(n)
}

// operation writes method, path and scope of an operation as an item of a list.
func (w *writer) operation(n *html.Node) error {
	parts := elements(n)
	if len(parts) != 3 {
		return unknown(n)
	}
	line := fmt.Sprintf("- %s (%s)", codeSpan(textOf(parts[0])+" "+textOf(parts[1])), escape(textOf(parts[2])))
	if w.op {
		w.out.WriteString(line + "\n")
	} else {
		w.paragraph(line)
	}
	w.op = true
	return nil
}

// tabs writes samples that stand beside each other one below the other, each under its label.
func (w *writer) tabs(n *html.Node) error {
	var labels []string
	for _, c := range elements(n) {
		switch c.DataAtom {
		case atom.Input:
		case atom.Label:
			labels = append(labels, textOf(c))
		case atom.Pre:
			if len(labels) == 0 {
				return unknown(c)
			}
			w.paragraph("**" + escape(labels[0]) + "**")
			labels = labels[1:]
			w.code(c)
		default:
			return unknown(c)
		}
	}
	if len(labels) > 0 {
		return unknown(n)
	}
	return nil
}

// languages are what fences call the languages of samples.
var languages = map[string]string{"curl": "sh"}

// code writes a sample, byte for byte.
func (w *writer) code(n *html.Node) {
	text := strings.TrimSuffix(textOf(n), "\n")
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	language := attribute(n, "data-lang")
	if name, ok := languages[language]; ok {
		language = name
	}
	w.paragraph(fence + language + "\n" + text + "\n" + fence)
}

func (w *writer) list(n *html.Node) error {
	var items []string
	for _, c := range elements(n) {
		line, err := w.inline(c)
		if err != nil {
			return err
		}
		items = append(items, "- "+line)
	}
	w.paragraph(strings.Join(items, "\n"))
	return nil
}

// cards are links with a heading and what is behind them.
func (w *writer) cards(n *html.Node) error {
	var items []string
	for _, c := range elements(n) {
		parts := elements(c)
		if c.DataAtom != atom.A || len(parts) != 1 {
			return unknown(c)
		}
		heading := textOf(parts[0])
		items = append(items, fmt.Sprintf("- [%s](%s): %s", escape(heading), w.Link(attribute(c, "href")),
			escape(strings.TrimPrefix(textOf(c), heading))))
	}
	w.paragraph(strings.Join(items, "\n"))
	return nil
}

// table writes a table, whose first row are the headings.
func (w *writer) table(n *html.Node) error {
	var lines []string
	for row := range n.Descendants() {
		if row.DataAtom != atom.Tr {
			continue
		}
		line := "|"
		for _, cell := range elements(row) {
			text, err := w.inline(cell)
			if err != nil {
				return err
			}
			line += " " + strings.ReplaceAll(text, "|", `\|`) + " |"
		}
		lines = append(lines, line)
		if len(lines) == 1 {
			lines = append(lines, "|"+strings.Repeat(" --- |", len(elements(row))))
		}
	}
	w.paragraph(strings.Join(lines, "\n"))
	return nil
}

// inline returns what is in n as one line.
func (w *writer) inline(n *html.Node) (string, error) {
	var line strings.Builder
	for c := range n.ChildNodes() {
		text, err := w.span(c)
		if err != nil {
			return "", err
		}
		line.WriteString(text)
	}
	return strings.TrimSpace(line.String()), nil
}

func (w *writer) span(n *html.Node) (string, error) {
	switch {
	case n.Type == html.TextNode:
		return escape(spaces(n.Data)), nil
	case n.DataAtom == atom.Code:
		return codeSpan(spaces(textOf(n))), nil
	case n.DataAtom == atom.B:
		text, err := w.inline(n)
		return "**" + text + "**", err
	case n.DataAtom == atom.A:
		text, err := w.inline(n)
		return fmt.Sprintf("[%s](%s)", text, w.Link(attribute(n, "href"))), err
	}
	return "", unknown(n)
}

// codeSpan writes code inside a line.
func codeSpan(text string) string {
	if strings.Contains(text, "`") {
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}

// escape takes their meaning from the characters that have one in Markdown.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`).Replace(text)
}

// spaces makes one space of each run of white space, as a browser does.
func spaces(text string) string {
	isSpace := func(c rune) bool { return strings.ContainsRune(" \t\r\n", c) }
	var b strings.Builder
	between := false
	for _, c := range text {
		if isSpace(c) {
			between = true
			continue
		}
		if between {
			b.WriteByte(' ')
		}
		between = false
		b.WriteRune(c)
	}
	if between {
		b.WriteByte(' ')
	}
	return b.String()
}

func elements(n *html.Node) []*html.Node {
	return slices.DeleteFunc(slices.Collect(n.ChildNodes()), func(c *html.Node) bool { return c.Type != html.ElementNode })
}

// textOf returns all text in n.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
