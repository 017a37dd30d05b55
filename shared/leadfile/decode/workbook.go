package decode

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"leadgate/shared/fault"
)

// workbook returns the rows of a sheet (Office Open XML, ECMA-376) as CSV.
func (d *decoder) workbook(z *zip.Reader) (io.Reader, error) {
	b := &book{decoder: d, files: map[string]*zip.File{}}
	for _, f := range z.File {
		b.files[strings.TrimPrefix(f.Name, "/")] = f
	}
	at, err := b.find()
	if err != nil {
		return nil, err
	}
	if err := b.readStyles(); err != nil {
		return nil, err
	}
	if err := b.readShared(); err != nil {
		return nil, err
	}
	in, err := b.open(at)
	if err != nil {
		return nil, err
	}
	d.found.Charset = utf8Name
	return newSheet(b, in), nil
}

// book is what the sheets of a workbook have in common.
type book struct {
	*decoder
	files  map[string]*zip.File
	shared []string // texts of cells
	dates  []bool   // by style: its numbers are days
	epoch  int      // 1900 or 1904
}

// open opens a part of the workbook; nil is none of that name.
func (b *book) open(name string) (io.Reader, error) {
	f := b.files[name]
	if f == nil {
		return nil, nil
	}
	return b.entry(f)
}

// read reads a small part of the workbook into v.
func (b *book) read(name string, v any) error {
	in, err := b.open(name)
	if in == nil || err != nil {
		return err
	}
	return xml.NewDecoder(io.LimitReader(in, maxPart)).Decode(v)
}

// find returns the part of the sheet that is wanted.
func (b *book) find() (part string, err error) {
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			Loose string `xml:"http://purl.oclc.org/ooxml/officeDocument/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var links struct {
		Links []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := b.read("xl/workbook.xml", &book); err != nil {
		return "", err
	}
	if err := b.read("xl/_rels/workbook.xml.rels", &links); err != nil {
		return "", err
	}
	b.epoch = 1900
	if p := book.Properties.Date1904; p == "1" || p == "true" {
		b.epoch = 1904
	}
	var names []string
	exact := false // one is called as is wanted to the letter
	for _, s := range book.Sheets {
		names, exact = append(names, s.Name), exact || s.Name == b.Sheet
	}
	wanted := func(name, state string) bool {
		switch {
		case b.Sheet == "":
			return state == "" || state == "visible"
		case exact:
			return name == b.Sheet
		}
		return strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(b.Sheet))
	}
	for i, s := range book.Sheets {
		if !wanted(s.Name, s.State) {
			continue
		}
		for _, l := range links.Links {
			if l.ID == s.ID+s.Loose {
				if b.found.Sheet = s.Name; b.Others != nil {
					b.Others(slices.Delete(names, i, i+1))
				}
				if strings.HasPrefix(l.Target, "/") {
					return l.Target[1:], nil
				}
				return path.Join("xl", l.Target), nil
			}
		}
	}
	if b.Sheet == "" {
		return "", refuse("the workbook has no sheet")
	}
	return "", fault.InvalidField("sheet", fault.Truncate(b.Sheet),
		"Must be the name of a sheet: the workbook has "+fault.Truncate(strings.Join(names, ", ")))
}

// readStyles finds out which styles of cells make a day of a number.
func (b *book) readStyles() error {
	var styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.read("xl/styles.xml", &styles); err != nil {
		return err
	}
	own := map[int]bool{}
	for _, f := range styles.Formats {
		own[f.ID] = isDate(f.Code)
	}
	for _, c := range styles.Cells {
		date, known := own[c.Format]
		if !known { // ECMA-376 18.8.30: formats that need no code, also of East Asian locales
			date = c.Format >= 14 && c.Format <= 22 || c.Format >= 27 && c.Format <= 36 || c.Format >= 45 && c.Format <= 47 ||
				c.Format >= 50 && c.Format <= 58
		}
		b.dates = append(b.dates, date)
	}
	return nil
}

// isDate reports whether a number format shows days or times: it has a letter for one outside of quotes and brackets.
func isDate(code string) bool {
	skip := byte(0)
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case skip != 0:
			if c == skip {
				skip = 0
			}
		case c == '"':
			skip = '"'
		case c == '[':
			skip = ']'
		case c == '\\' || c == '_' || c == '*':
			i++
		case strings.IndexByte("dmyhsDMYHS", c) >= 0:
			return true
		}
	}
	return false
}

// readShared reads the texts that cells share.
func (b *book) readShared() error {
	in, err := b.open("xl/sharedStrings.xml")
	if in == nil || err != nil {
		return err
	}
	dec := newTokens(in)
	size, granted := 0, 0
	for {
		tok, err := dec.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := tok.(xml.StartElement); !ok || start.Name.Local != "si" {
			continue
		}
		text, err := richText(dec, "si")
		if err != nil {
			return err
		}
		if size += len(text) + 32; size > maxText {
			return fault.New(fault.TooLarge, fmt.Sprintf(
				"The texts of a workbook can have %d MiB: save it as \"CSV UTF-8\"", maxText>>20))
		}
		if size > granted {
			if err := b.Grow(1 << 20); err != nil {
				return err
			}
			granted += 1 << 20
		}
		b.shared = append(b.shared, text)
	}
}

// richText returns the text of an element, which may be in several runs; how East Asian text is read aloud is none.
func richText(dec *tokens, until string) (string, error) {
	var text strings.Builder
	in, aloud := 0, 0
	for {
		tok, err := dec.next()
		if err != nil {
			return "", unexpected(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			switch tok.Name.Local {
			case "t":
				in++
			case "rPh":
				aloud++
			}
		case xml.CharData:
			if in > 0 && aloud == 0 {
				text.Write(tok)
			}
		case xml.EndElement:
			switch tok.Name.Local {
			case until:
				return unescape(text.String()), nil
			case "t":
				in--
			case "rPh":
				aloud--
			}
		}
	}
}

// tokens reads XML, of which no token may be so long that it takes much memory.
type tokens struct {
	xml  *xml.Decoder
	from io.Reader
	left int // bytes that the next token may have
}

func newTokens(in io.Reader) *tokens {
	t := &tokens{from: in}
	t.xml = xml.NewDecoder(t)
	return t
}

func (t *tokens) next() (xml.Token, error) {
	t.left = maxToken
	return t.xml.RawToken()
}

// Read implements io.Reader for the decoder.
func (t *tokens) Read(b []byte) (int, error) {
	if t.left <= 0 {
		return 0, refuse("a cell of the workbook is too long")
	}
	n, err := t.from.Read(b[:min(len(b), t.left)])
	t.left -= n
	return n, err
}

// unexpected is an end in the middle of something.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
