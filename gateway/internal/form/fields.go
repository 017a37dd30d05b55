package form

import (
	"bytes"
	"strings"
)

// Limits of the fields that are kept of a submission.
const (
	maxFieldsJSON = 64 << 10 // bytes; longer texts are cut until it is enough
	maxRawLevels  = 100      // of JSON that is not searched; what is deeper is kept as a text
	cutMark       = "_cut"   // the member that says that not all is kept
	cutNote       = "Not all that came is kept: at most 65536 bytes, 1000 fields, 5000 values of JSON, one item of a list"
)

// Fields returns what came as a JSON object: names and values in their order, without secrets, tokens, and what the
// form's owner does not want to keep. Fields of one name make a list.
func (s *Submission) Fields() []byte {
	w := fieldWriter{limit: MaxBody, room: MaxBody * 8, note: s.root.cut}
	w.object(s.root)
	for limit := 16 << 10; len(w.buf) > maxFieldsJSON; limit /= 2 {
		w = fieldWriter{buf: w.buf[:0], limit: limit, room: MaxBody * 8, note: true}
		if limit < 32 { // the names alone are too long
			w.room = maxFieldsJSON * 3 / 4
		}
		w.object(s.root)
		if limit < 32 {
			break
		}
	}
	return w.buf
}

// fieldWriter writes the fields of a submission.
type fieldWriter struct {
	buf   []byte
	limit int  // bytes of a text
	room  int  // beyond which nothing is added
	note  bool // that not all is kept
}

func (w *fieldWriter) value(n *node) {
	switch {
	case n.kind == textKind && n.inside != nil && n.inside.hasSecret():
		var inside fieldWriter
		inside.limit, inside.room = w.limit, w.room
		inside.value(n.inside)
		w.text(string(inside.buf))
	case n.kind == textKind:
		w.text(n.text)
	case n.kind == listKind:
		w.buf = append(w.buf, '[')
		first := true
		for _, item := range n.all {
			if w.skips(item) || len(w.buf) > w.room {
				continue
			}
			if !first {
				w.buf = append(w.buf, ',')
			}
			first = false
			w.value(item)
		}
		w.buf = append(w.buf, ']')
	case n.kind == objectKind:
		w.object(n)
	case len(n.raw) > w.limit || levels(n.raw) > maxRawLevels:
		w.text(string(n.raw))
	default:
		w.buf = append(w.buf, bytes.ToValidUTF8(n.raw, []byte("\uFFFD"))...)
	}
}

// object writes the children of n; those of one name together, where the first of them came.
func (w *fieldWriter) object(n *node) {
	same := map[string][]*node{}
	for _, c := range n.all {
		if !w.skips(c) {
			same[c.name] = append(same[c.name], c)
		}
	}
	w.buf = append(w.buf, '{')
	first := true
	member := func(name string) {
		if !first {
			w.buf = append(w.buf, ',')
		}
		first = false
		w.buf = append(append(w.buf, quote(name)...), ':')
	}
	for _, c := range n.all {
		all := same[c.name]
		if len(all) == 0 || len(w.buf)+len(c.name) > w.room {
			continue
		}
		delete(same, c.name)
		member(c.name)
		if len(all) == 1 {
			w.value(c)
			continue
		}
		w.value(&node{kind: listKind, all: all})
	}
	if w.note && n.parent == nil {
		member(cutMark)
		w.text(cutNote)
	}
	w.buf = append(w.buf, '}')
}

func (w *fieldWriter) text(text string) {
	if len(text) > w.limit && text != cutNote {
		text = strings.ToValidUTF8(text[:w.limit], "") + "…"
	}
	w.buf = append(w.buf, quote(text)...)
}

// skips reports whether n is not kept.
func (w *fieldWriter) skips(n *node) bool { return n.hidden || isSecret(n.name) || n.asksSecret() }

// asksSecret reports whether n is the answer to a question for a secret.
func (n *node) asksSecret() bool {
	if isSecret(n.label) {
		return true
	}
	if !n.holds() {
		return false
	}
	a := answerOf(n)
	return a != nil && isSecret(a.labels[0])
}

// hasSecret reports whether something in n is not kept.
func (n *node) hasSecret() bool {
	for _, c := range n.all {
		if c.hidden || isSecret(c.name) || c.asksSecret() || c.within().hasSecret() {
			return true
		}
	}
	return false
}

// levels returns at least how deep JSON is.
func levels(raw []byte) (deepest int) {
	depth := 0
	for _, c := range raw {
		switch c {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}
