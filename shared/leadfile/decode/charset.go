package decode

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"

	"leadgate/shared/fault"
)

const utf8Name = "utf-8"

// more are charsets that WHATWG has no name for, or another than people use.
var more = map[string]encoding.Encoding{
	"ansi":     charmap.Windows1252,
	"cp437":    charmap.CodePage437,
	"cp850":    charmap.CodePage850,
	"cp852":    charmap.CodePage852,
	"macroman": charmap.Macintosh,
	"utf-16":   unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-32":   utf32.UTF32(utf32.LittleEndian, utf32.UseBOM),
	"utf-32le": utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), // takes the mark off
	"utf-32be": utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
}

// lookUp returns a charset by its name.
func lookUp(name string) (encoding.Encoding, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if e, ok := more[name]; ok {
		return e, true
	}
	e, err := htmlindex.Get(name)
	return e, err == nil && e != encoding.Replacement && name != "x-user-defined"
}

// KnownCharset reports whether a file can be said to be in a charset.
func KnownCharset(name string) bool {
	_, ok := lookUp(name)
	return ok
}

// CharsetRule says what the name of a charset must be.
const CharsetRule = "Must be the name of a charset, such as utf-8, utf-16le, windows-1252, windows-1250, shift_jis, gb18030"

// IsUTF8 reports whether a name is one of UTF-8's, or of ASCII, which is a part of it.
func IsUTF8(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return name == utf8Name || name == "utf8" || name == "us-ascii" || name == "ascii"
}

// text returns what raw says in UTF-8.
func (d *decoder) text(raw io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(raw, Sample)
	sample, err := in.Peek(Sample)
	if err != nil && err != io.EOF {
		return nil, err
	}
	name := d.charset(sample)
	if name == "" {
		return nil, fault.InvalidField("body", nil, "Must be UTF-8 text, or text of a charset that can be told: say which "+
			"with charset=, such as charset=windows-1253. Spreadsheets can save as \"CSV UTF-8\"")
	}
	switch begin := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(sample[:min(len(sample), 100)], bom8))); {
	case hasPrefix(begin, "<html", "<!doctype html", "<table", "<meta", "<?xml"):
		return nil, refuse("this is a web page or XML, even if its name ends with .xls: open it in a spreadsheet, and save it " +
			"as .xlsx or as \"CSV UTF-8\"")
	case hasPrefix(begin, "begin:vcard"):
		return nil, refuse("these are contact cards (vCard): export them as CSV")
	}
	d.found.Charset = name
	if name == utf8Name {
		return in, nil
	}
	e, ok := lookUp(name)
	if !ok {
		return nil, fault.InvalidField("charset", fault.Truncate(name), CharsetRule)
	}
	if name == "utf-16le" && bytes.HasPrefix(sample, bom16LE) || bytes.HasPrefix(sample, bom16BE) {
		e = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM) // takes the mark off
	}
	return transform.NewReader(in, transform.Chain(e.NewDecoder(), marker{})), nil
}

var (
	bom8    = []byte("\xEF\xBB\xBF")
	bom16LE = []byte{0xFF, 0xFE}
	bom16BE = []byte{0xFE, 0xFF}
	bom32LE = []byte{0xFF, 0xFE, 0, 0}
	bom32BE = []byte{0, 0, 0xFE, 0xFF}
)

// charset returns the charset of a file that begins so: what its byte order mark says, then what its sender says, then
// what it looks like. "" is none that can be told.
func (d *decoder) charset(sample []byte) string {
	switch {
	case bytes.HasPrefix(sample, bom8):
		return utf8Name
	case bytes.HasPrefix(sample, bom32LE): // before that of UTF-16, which it begins with
		return "utf-32le"
	case bytes.HasPrefix(sample, bom32BE):
		return "utf-32be"
	case bytes.HasPrefix(sample, bom16LE):
		return "utf-16le"
	case bytes.HasPrefix(sample, bom16BE):
		return "utf-16be"
	case d.Charset != "":
		e, ok := lookUp(d.Charset)
		if name, err := htmlindex.Name(e); ok && err == nil {
			return name
		}
		return strings.ToLower(strings.TrimSpace(d.Charset))
	}
	return guess(sample)
}

// marker puts a byte that UTF-8 does not have where a decoder found no character.
type marker struct{ transform.NopResetter }

const noCharacter = 0xFF

var replacement = []byte("\uFFFD")

func (marker) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		rest := src[nSrc:]
		i := bytes.IndexByte(rest, replacement[0])
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			n := copy(dst[nDst:], rest[:i])
			nDst, nSrc = nDst+n, nSrc+n
			if n < i {
				return nDst, nSrc, transform.ErrShortDst
			}
			continue
		}
		switch {
		case bytes.HasPrefix(rest, replacement):
			if nDst == len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			dst[nDst] = noCharacter
			nDst, nSrc = nDst+1, nSrc+len(replacement)
		case len(rest) < len(replacement) && !atEOF:
			return nDst, nSrc, transform.ErrShortSrc
		default: // another character that begins so
			n := min(utf8.UTFMax-1, len(rest))
			if len(dst)-nDst < n {
				return nDst, nSrc, transform.ErrShortDst
			}
			copy(dst[nDst:], rest[:n])
			nDst, nSrc = nDst+n, nSrc+n
		}
	}
	return nDst, nSrc, nil
}
