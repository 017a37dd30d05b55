package form

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what is looked at in a submission. What is beyond is kept, but not searched.
const (
	maxFields = 1000 // of a form that is no JSON; the rest is left out
	maxNodes  = 5000 // of JSON
	maxLevels = 12
)

// kind is what a node is.
type kind byte

const (
	textKind   kind = iota
	scalarKind      // a number, true or false, or JSON that is not searched
	objectKind
	listKind
)

// node is a value of a submission, and what was found out about it.
type node struct {
	name   string // by which its parent has it; "": an item of a list
	input  string // the name of the form's input, with its brackets; "": it came as JSON
	kind   kind
	text   string  // of a text
	raw    []byte  // the JSON as it came; nil where there was none
	parent *node   // nil: the root
	all    []*node // of an object or a list
	inside *node   // the object or list that a text is the JSON of

	label  string           // what it answers, where that is not its name
	answer *node            // of an item of a list of answers: what was answered
	asked  *answer          // what answerOf found; noAnswer: nothing
	taken  bool             // it goes to a field of the lead
	opened bool             // something in it goes another way than all of it
	gone   bool             // no lead keeps it
	hidden bool             // nor does its submission
	cut    bool             // it has more children than are looked at; of the root, more came than it has
	index  map[string]*node // of the objects and lists in it, while they are made
}

func (n *node) add(child *node) *node {
	child.parent = n
	n.all = append(n.all, child)
	return child
}

// within returns the node whose children a node's are: itself, or what its text is the JSON of.
func (n *node) within() *node {
	if n.inside != nil {
		return n.inside
	}
	return n
}

// called returns the name of an object or list, or of the text that it was read from.
func (n *node) called() string {
	if n.parent != nil && n.parent.inside == n {
		return n.parent.name
	}
	return n.name
}

// holds reports whether n can have children.
func (n *node) holds() bool { n = n.within(); return n.kind == objectKind || n.kind == listKind }

// empty reports whether n is a text with nothing in it.
func (n *node) empty() bool { return n.kind == textKind && strings.TrimSpace(n.text) == "" }

// string returns the text of a text, and the JSON of everything else.
func (n *node) string() string {
	if n.kind == textKind {
		return n.text
	}
	return string(n.json())
}

// sent returns what n was sent as: the name of an input or, of JSON, the path to it.
func (n *node) sent() string {
	for at := n; at != nil; at = at.parent {
		if at.input != "" {
			if path := strings.TrimPrefix(n.path(), at.path()); at != n {
				return at.input + path
			}
			return at.input
		}
	}
	return n.path()
}

// path returns where n is, for people.
func (n *node) path() string {
	var parts []string
	for at, steps := n, 0; at != nil && steps < 2*maxLevels; at, steps = at.parent, steps+1 {
		if at.name != "" {
			parts = append([]string{at.name}, parts...)
		}
	}
	return strings.Join(parts, ".")
}

// json returns n as JSON. Of several members of one name a list is made.
func (n *node) json() []byte {
	switch {
	case n.raw != nil:
		return n.raw
	case n.kind == textKind:
		return quote(n.text)
	case n.kind == listKind:
		b := []byte{'['}
		for i, item := range n.all {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, item.json()...)
		}
		return append(b, ']')
	}
	var all members
	for _, child := range n.all {
		all.add(child.name, child.json())
	}
	return all.object()
}

// put adds a form's field to the tree: a[b][c] is c in b in a, and a[] an item of the list a.
func (n *node) put(name, text string) {
	parts := brackets(name)
	for _, part := range parts[:len(parts)-1] {
		n = n.container(part)
	}
	n.append(parts[len(parts)-1], &node{input: name, text: text})
}

// append adds a child under a part of a name.
func (n *node) append(part bracket, child *node) {
	switch {
	case part.list && len(n.all) == 0:
		n.kind = listKind
	case part.list && n.kind == objectKind:
		part.name = strconv.Itoa(len(n.all))
	case !part.list && n.kind == listKind:
		n.kind = objectKind
		for i, item := range n.all {
			item.name = strconv.Itoa(i)
		}
	}
	child.name = part.name
	n.add(child)
}

// container returns the child that a part of a name leads to, or makes it.
func (n *node) container(part bracket) *node {
	if c := n.index[part.name]; c != nil && !part.list {
		return c
	}
	c := &node{kind: objectKind}
	n.append(part, c)
	if n.index == nil {
		n.index = map[string]*node{}
	}
	n.index[c.name] = c
	return c
}

// bracket is a part of a field's name.
type bracket struct {
	name string
	list bool // the part is []
}

// brackets divides a field's name; one whose brackets do not match is a name of its own.
func brackets(name string) []bracket {
	open := strings.IndexByte(name, '[')
	if open <= 0 || !strings.HasSuffix(name, "]") {
		return []bracket{{name: name}}
	}
	parts := []bracket{{name: name[:open]}}
	for rest := name[open:]; rest != ""; {
		inner, after, closed := strings.Cut(rest, "]")
		if !closed || inner == "" || inner[0] != '[' || len(parts) == maxLevels {
			return []bracket{{name: name}}
		}
		parts = append(parts, bracket{inner[1:], inner == "["})
		rest = after
	}
	return parts
}

// jsonTree reads JSON into nodes.
type jsonTree struct {
	dec  *jsontext.Decoder
	body []byte
	left int // nodes that may still be made
}

// readJSON reads one value and nothing after it. A name may be given twice.
func readJSON(body []byte) (*node, error) {
	t := &jsonTree{body: body, left: maxNodes}
	t.dec = jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	root, err := t.value(maxLevels)
	if err != nil {
		return nil, err
	}
	if _, err := t.dec.ReadToken(); err != io.EOF {
		return nil, errTrailing
	}
	return root, nil
}

func (t *jsonTree) value(levels int) (*node, error) {
	k := t.dec.PeekKind()
	t.left--
	if k != '{' && k != '[' || levels == 0 || t.left <= 0 {
		raw, err := t.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		return leaf(raw), nil
	}
	if _, err := t.dec.ReadToken(); err != nil {
		return nil, err
	}
	start := t.dec.InputOffset() - 1
	n := &node{kind: listKind}
	if k == '{' {
		n.kind = objectKind
	}
	before := t.left
	for end := t.dec.PeekKind(); end != '}' && end != ']'; end = t.dec.PeekKind() {
		name := ""
		if k == '{' {
			token, err := t.dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name = token.String()
		}
		if t.left <= 0 {
			n.cut = true
			if err := t.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		child, err := t.value(levels - 1)
		if err != nil {
			return nil, err
		}
		child.name = name
		n.add(child)
	}
	if _, err := t.dec.ReadToken(); err != nil {
		return nil, err
	}
	n.raw = t.body[start:t.dec.InputOffset()]
	if n.cut && levels < maxLevels { // it is kept, but not searched
		t.left = before
		return &node{kind: scalarKind, raw: n.raw}, nil
	}
	return n, nil
}

// leaf makes a node of a value whose inside is not searched; null is an empty text.
func leaf(raw []byte) *node {
	switch raw[0] {
	case 'n':
		return &node{}
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
		}
		return &node{text: string(text)}
	}
	return &node{kind: scalarKind, raw: bytes.Clone(raw)}
}

// unfold reads the JSON, or the encoded fields, that texts below n are: some tools send all answers as one text.
func (n *node) unfold() {
	for _, child := range n.all {
		if child.kind != textKind {
			child.unfold()
			continue
		}
		text := strings.TrimSpace(child.text)
		if inside := fieldsOf(text); inside != nil {
			child.inside, inside.parent = inside, child
			continue
		}
		if len(text) < len(`{"a":1}`) || text[0] != '{' && text[0] != '[' {
			continue
		}
		if inside, err := readJSON([]byte(text)); err == nil && inside.holds() {
			child.inside, inside.parent = inside, child
		}
	}
}
