// Package decode makes UTF-8 text of a file as people have it: text of another charset, compressed, or a workbook. It
// reads the file as a stream; only what has its table of contents at the end, a ZIP archive or a workbook, is held.
package decode

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"

	"leadgate/shared/fault"
)

// Bounds of what is done for a file.
const (
	Sample     = 1 << 20   // bytes at its beginning by which its charset is found
	MaxArchive = 32 << 20  // bytes of a ZIP archive or a workbook, which is held as a whole
	maxText    = 64 << 20  // bytes of the texts that the cells of a workbook share, which are held
	maxPart    = 8 << 20   // bytes of the styles of a workbook, or its list of sheets
	maxToken   = 1 << 20   // bytes of a cell's text
	maxEntries = 10_000    // files in an archive
	maxEntry   = 512 << 20 // bytes of one of them
	maxLayers  = 2         // a workbook that is compressed, and no more
	maxRatio   = 100       // bytes that a compressed one may become, beyond freeRatio
	freeRatio  = 16 << 20  // bytes
)

// Options are what the sender says of a file.
type Options struct {
	Charset string          // as WHATWG names it; "": it is found out. What a byte order mark says counts more.
	Sheet   string          // of a workbook; "": the first
	Grow    func(int) error // is asked before so many more bytes are held; nil: all are granted
	Others  func([]string)  // is told the names of the sheets that are not read; nil: nobody is
}

// Found is what a file was.
type Found struct {
	Packed  string `json:"packed,omitempty"`  // what its text was in: gzip, zip, xlsx, or several, from the outside in
	Sheet   string `json:"sheet,omitempty"`   // of the workbook
	Charset string `json:"charset,omitempty"` // of its text
}

// Open returns src as UTF-8 text. Where a character cannot be decoded the text has a byte that is none in UTF-8, so
// that it costs its row and not the file. The error, here or where the text is read, is a VALIDATION_ERROR of a file
// that cannot be read, or that of src.
func Open(src io.Reader, o Options) (text io.Reader, f Found, err error) {
	if o.Grow == nil {
		o.Grow = func(int) error { return nil }
	}
	from := &source{Reader: src}
	d := &decoder{Options: o, src: from}
	if text, err = d.open(from); err != nil {
		return nil, d.found, from.blame(err)
	}
	return &blamed{text, from}, d.found, nil
}

// decoder opens one file.
type decoder struct {
	Options
	src   *source
	found Found
}

// open takes off whatever the text is in, layer by layer.
func (d *decoder) open(raw io.Reader) (io.Reader, error) {
	for range maxLayers {
		small := bufio.NewReader(raw)
		magic, err := small.Peek(8)
		if err != nil && err != io.EOF {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(magic, []byte{0x1F, 0x8B}):
			z, err := gzip.NewReader(small)
			if err != nil {
				return nil, err
			}
			d.packed("gzip")
			raw = &ratioReader{Reader: z, src: d.src}
		case bytes.HasPrefix(magic, []byte("PK\x03\x04")), bytes.HasPrefix(magic, []byte("PK\x05\x06")):
			inner, rows, err := d.archive(small)
			if rows != nil || err != nil {
				return rows, err
			}
			raw = inner
		case bytes.HasPrefix(magic, []byte{0xD0, 0xCF, 0x11, 0xE0}):
			return nil, refuse("this is a workbook of Excel 97 to 2003 (.xls), or one with a password: save it as .xlsx " +
				"without a password, or as \"CSV UTF-8\"")
		case hasPrefix(magic, "BZh", "\xFD7zXZ\x00", "\x28\xB5\x2F\xFD", "7z\xBC\xAF", "Rar!"):
			return nil, refuse("it is compressed in a way that is not read here: use gzip or ZIP")
		case bytes.HasPrefix(magic, []byte("%PDF")):
			return nil, refuse("this is a PDF document")
		default:
			return d.text(small)
		}
	}
	return d.text(raw)
}

func hasPrefix(b []byte, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return bytes.HasPrefix(b, []byte(p)) })
}

func (d *decoder) packed(as string) {
	if d.found.Packed != "" {
		as = d.found.Packed + ", " + as
	}
	d.found.Packed = as
}

func refuse(why string) error {
	return fault.InvalidField("body", nil, "Must be text, such as CSV, or a workbook (.xlsx): "+why)
}

// source is the file as it comes, and what went wrong with it.
type source struct {
	io.Reader
	n   int64
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// blame returns whose fault an error is: that of the source, or a file that cannot be read.
func (s *source) blame(err error) error {
	var known *fault.Error
	switch {
	case s.err != nil:
		return s.err
	case errors.As(err, &known):
		return err
	}
	f := fault.InvalidField("body", nil, "Must be a file that is whole: it cannot be unpacked")
	f.Cause = err
	return f
}

// blamed is a text whose errors are told as blame has them.
type blamed struct {
	io.Reader
	src *source
}

func (b *blamed) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = b.src.blame(err)
	}
	return n, err
}

// ratioReader refuses what was compressed so much that it is no list of people.
type ratioReader struct {
	io.Reader
	src *source
	n   int64
}

func (r *ratioReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if r.n += int64(n); r.n > freeRatio && r.n > maxRatio*r.src.n {
		return 0, tooDense()
	}
	return n, err
}

func tooDense() error {
	return refuse(fmt.Sprintf("it is compressed more than %d to 1", maxRatio))
}

// held reads all of an archive, whose table of contents is at its end.
func (d *decoder) held(r io.Reader) ([]byte, error) {
	b := make([]byte, 0, 64<<10)
	for {
		if len(b) == cap(b) {
			if len(b) > MaxArchive {
				return nil, fault.New(fault.TooLarge, fmt.Sprintf(
					"A workbook or ZIP archive can have %d MiB: send larger ones as CSV, which gzip may compress", MaxArchive>>20))
			}
			grown := min(2*cap(b), MaxArchive+1)
			if err := d.Grow(grown - cap(b)); err != nil {
				return nil, err
			}
			b = append(make([]byte, 0, grown), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
