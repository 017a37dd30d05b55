package form

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// charsetField is the field in which a browser tells the encoding of a page's forms (HTML, 4.10.18.1).
const charsetField = "_charset_"

// decoder turns what a form sends into UTF-8. Nobody at a form can mend an encoding, so that none is refused: what is
// no valid text in the encoding that it says is read as windows-1252, in which every byte is a character.
type decoder struct {
	named   encoding.Encoding // nil: none was named, or UTF-8
	latin   bool              // named has one byte for a character
	seven   bool              // named has only bytes below 0x80
	guessed bool              // something was read as windows-1252 that did not say so
}

// newDecoder makes a decoder of an encoding by any name that the web has for it (WHATWG Encoding, 4.2); "" and unknown
// ones mean UTF-8.
func newDecoder(label string) *decoder {
	named, err := htmlindex.Get(strings.TrimSpace(label))
	if err != nil {
		return &decoder{}
	}
	name, err := htmlindex.Name(named)
	if err != nil || name == "utf-8" {
		return &decoder{}
	}
	_, latin := named.(*charmap.Charmap)
	return &decoder{named: named, latin: latin, seven: name == "iso-2022-jp"}
}

// forFields drops an encoding in which no browser sends the fields of a form, whatever the page says: they are UTF-8
// then (HTML, 4.10.22.5; WHATWG Encoding, 4.3).
func (d *decoder) forFields() {
	if d.named == nil {
		return
	}
	switch name, _ := htmlindex.Name(d.named); name {
	case "utf-16be", "utf-16le", "replacement":
		d.named, d.latin = nil, false
	}
}

// text decodes one text. What is UTF-8 although a one-byte encoding was named is left: pages name one and send the
// other, and no text of letters in such an encoding looks like UTF-8. Nor is one in an encoding of seven bits.
func (d *decoder) text(raw string) string {
	if (d.named == nil || d.latin || d.seven && !plain(raw)) && utf8.ValidString(raw) {
		return raw
	}
	if d.named != nil {
		if text, err := d.named.NewDecoder().String(raw); err == nil && utf8.ValidString(text) {
			return text
		}
	}
	d.guessed = true
	text, err := charmap.Windows1252.NewDecoder().String(raw)
	if err != nil {
		return strings.ToValidUTF8(raw, "\uFFFD")
	}
	return text
}

func plain(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mark is the byte order mark that some programs put before UTF-8.
var mark = []byte("\xEF\xBB\xBF")

// body decodes a whole body.
func (d *decoder) body(raw []byte) []byte {
	raw = bytes.TrimPrefix(raw, mark)
	if utf8.Valid(raw) && (d.named == nil || d.latin) {
		return raw
	}
	return []byte(d.text(string(raw)))
}
