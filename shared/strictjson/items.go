package strictjson

import (
	"fmt"

	"leadgate/shared/fault"
)

// Items goes over the objects of a body {"leads":[{...},{...}]} in one pass, each with a Reader of its own:
//
//	items := strictjson.NewItems(body, "leads", 500, []string{"name", "email"})
//	for items.Next() {
//		r := items.Reader()
//		for r.Next() { ... }
//		if err := r.Err() ... // about this one, whose place the pointers tell
//	}
//	return items.Err()
//
// What is wrong with an item is the item's own matter; JSON that cannot be read on, and whatever else is in the body,
// is Err's.
type Items struct {
	all    Reader
	one    Reader
	member string
	most   int
	inside bool // the array
	seen   bool // the member
	count  int
}

// itemFields is how many mistakes of one item are told: there can be hundreds of items.
const itemFields = 5

// NewItems reads body, an object with no member but an array of 1 to most objects, whose members may be those known.
func NewItems(body []byte, member string, most int, known []string) *Items {
	t := &Items{member: member, most: most, all: *NewReader(body, []string{member})}
	t.all.dec.Reset(&t.all.source) // it has moved
	t.one = Reader{dec: t.all.dec, body: body, known: known, given: make([]bool, len(known)), list: member, opened: true}
	return t
}

// Next goes to the next item, when the one before was read to its end; false: there is none, or the body is wrong.
func (t *Items) Next() bool {
	if t.one.broken {
		t.all.broken, t.all.wrong, t.all.more = true, t.one.wrong, 0
		return false
	}
	if !t.inside && !t.enter() {
		return false
	}
	if t.all.dec.PeekKind() == ']' {
		t.inside = false
		if _, err := t.all.dec.ReadToken(); err != nil {
			return t.all.fail(err)
		}
		if t.count == 0 {
			t.all.Add(fault.Field{Field: t.member, Pointer: t.all.pointer(t.member, ""), Message: t.rule()})
		}
		return t.enter() // what follows the array; there can be no second
	}
	if t.count == t.most {
		t.all.Add(fault.Field{Field: t.member, Pointer: t.all.pointer(t.member, ""), Message: t.rule()})
		return false
	}
	return t.begin()
}

// begin reads the start of an item, or all of one that is no object.
func (t *Items) begin() bool {
	t.one.place, t.one.wrong, t.one.more, t.one.done, t.one.scalar = t.count, nil, 0, false, false
	clear(t.one.given)
	t.count++
	if t.all.dec.PeekKind() == '{' {
		if _, err := t.all.dec.ReadToken(); err != nil {
			return t.all.fail(err)
		}
		return true
	}
	raw, err := t.all.dec.ReadValue()
	if err != nil {
		return t.all.fail(err)
	}
	t.one.done, t.one.scalar = true, true
	pointer := t.one.pointer("", "")
	t.one.Add(fault.Field{Field: t.member, Pointer: pointer[:len(pointer)-1], Value: echo(raw),
		Message: "Must be a JSON object"})
	return true
}

// IsObject reports whether the current item is one; else that is its only mistake.
func (r *Reader) IsObject() bool { return !r.scalar }

// enter goes to the start of the array; false: it was there already, or it is none.
func (t *Items) enter() bool {
	if !t.all.opened && t.all.dec.PeekKind() == '[' {
		t.all.opened = true
		return t.all.breaks(fault.Field{Field: "body", Message: fmt.Sprintf("Must be a JSON object with the array in it: {%q: [...]}",
			t.member)})
	}
	if !t.all.open() {
		return false
	}
	for t.all.dec.PeekKind() == '"' {
		name, err := t.all.dec.ReadValue()
		if err != nil {
			return t.all.fail(err)
		}
		if index(t.all.known, name) < 0 {
			t.all.refuseUnknown(unquote(name))
			if _, err := t.all.dec.ReadValue(); err != nil {
				return t.all.fail(err)
			}
			continue
		}
		t.seen = true
		if t.all.dec.PeekKind() == '[' {
			t.inside = true
			if _, err := t.all.dec.ReadToken(); err != nil {
				return t.all.fail(err)
			}
			return true
		}
		raw, err := t.all.dec.ReadValue()
		if err != nil {
			return t.all.fail(err)
		}
		t.all.Add(fault.Field{Field: t.member, Pointer: t.all.pointer(t.member, ""), Value: echo(raw), Message: t.rule()})
	}
	if !t.seen {
		t.all.Add(fault.Field{Field: t.member, Pointer: t.all.pointer(t.member, ""), Message: t.rule()})
	}
	return t.all.close()
}

func (t *Items) rule() string { return fmt.Sprintf("Must be an array of 1 to %d objects", t.most) }

// Reader is of the current item; it is good until the next.
func (t *Items) Reader() *Reader { return &t.one }

// Err returns what is wrong with the body as one VALIDATION_ERROR, or nil. To be called after the last Next.
func (t *Items) Err() error { return t.all.Err() }
