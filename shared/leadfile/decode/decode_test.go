package decode_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"leadgate/shared/fault"
	"leadgate/shared/leadfile/decode"
)

// zipped is a ZIP archive of names and texts.
func zipped(files ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, _ := z.Create(files[i]) // a buffer takes everything
		io.WriteString(w, files[i+1])
	}
	z.Close()
	return b.String()
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

// read is what a file says.
func read(file string, o decode.Options) (text string, f decode.Found, err error) {
	in, f, err := decode.Open(strings.NewReader(file), o)
	if err != nil {
		return "", f, err
	}
	all, err := io.ReadAll(in)
	return string(all), f, err
}

func in(e encoding.Encoding, text string) string {
	encoded, err := e.NewEncoder().String(text)
	if err != nil {
		panic(err)
	}
	return encoded
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	german := "Name;Ort\r\nJörg Müßig;Köln\r\nÄnne Größe;München – Süd\r\n"
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for name, c := range map[string]struct {
		file, said, text, charset string
	}{
		"ASCII":                         {"a,b\n", "", "a,b\n", "utf-8"},
		"nothing":                       {"", "", "", "utf-8"},
		"UTF-8":                         {german, "", german, "utf-8"},
		"UTF-8 with a mark":             {"\ufeff" + german, "windows-1252", "\ufeff" + german, "utf-8"},
		"UTF-8 with damage":             {german + "Z\xfcrich\r\n", "", german + "Z\xfcrich\r\n", "utf-8"},
		"UTF-16":                        {in(utf16, german), "", german, "utf-16le"},
		"UTF-16 although UTF-8 is said": {in(utf16, german), "utf-8", german, "utf-16le"},
		"half a character of UTF-16":    {in(utf16, "ab") + "\x00\xd8", "", "ab\xff", "utf-16le"},
		"windows-1252":                  {in(charmap.Windows1252, german), "", german, "windows-1252"},
		"one row of it":                 {in(charmap.Windows1252, "E-Mail;Name\r\na@example.com;Jörg\r\n"), "", "E-Mail;Name\r\na@example.com;Jörg\r\n", "windows-1252"},
		"French":                        {in(charmap.Windows1252, "À François,Noël\nRené,d’Été\nZoé,çà et là\n"), "", "À François,Noël\nRené,d’Été\nZoé,çà et là\n", "windows-1252"},
		"the signs of Word":             {in(charmap.Windows1252, "Bob’s,10 – 20\nAnn,“ok”\nCat,5 €\n"), "", "Bob’s,10 – 20\nAnn,“ok”\nCat,5 €\n", "windows-1252"},
		"a Mac's":                       {in(charmap.Macintosh, "Name;Ort\rJörg;Köln\rRené;Besançon\r"), "", "Name;Ort\rJörg;Köln\rRené;Besançon\r", "macintosh"},
		"a Mac's with LF":               {in(charmap.Macintosh, "Prénom;Nom;Téléphone\nZoé;Lefèvre;1\n"), "", "Prénom;Nom;Téléphone\nZoé;Lefèvre;1\n", "macintosh"},
		"a Mac's in German":             {in(charmap.Macintosh, "Vorname;Name\r\nJörg;Müller\r\nKäthe;Größer\r\n"), "", "Vorname;Name\r\nJörg;Müller\r\nKäthe;Größer\r\n", "macintosh"},
		"a Mac's in Spanish":            {in(charmap.Macintosh, "Teléfono;Año\nNúñez;José\n"), "", "Teléfono;Año\nNúñez;José\n", "macintosh"},
		"DOS's in Swedish":              {in(charmap.CodePage850, "Förnamn;Efternamn\r\nÅsa;Öberg\r\n"), "", "Förnamn;Efternamn\r\nÅsa;Öberg\r\n", "cp850"},
		"DOS's in French":               {in(charmap.CodePage850, "Prénom;Nom;Téléphone\r\nZoé;Lefèvre;1\r\n"), "", "Prénom;Nom;Téléphone\r\nZoé;Lefèvre;1\r\n", "cp850"},
		"DOS's in German":               {in(charmap.CodePage850, "Vorname;Name\r\nJörg;Müller\r\nKäthe;Größer\r\n"), "", "Vorname;Name\r\nJörg;Müller\r\nKäthe;Größer\r\n", "cp850"},
		"DOS's in Spanish":              {in(charmap.CodePage850, "Teléfono;Año\r\nNúñez;José\r\n"), "", "Teléfono;Año\r\nNúñez;José\r\n", "cp850"},
		"DOS's":                         {in(charmap.CodePage850, "Name;Ort\r\nJörg;Köln\r\nRené;Besançon\r\n"), "", "Name;Ort\r\nJörg;Köln\r\nRené;Besançon\r\n", "cp850"},
		"Turkish, which is another's":   {in(charmap.Windows1254, "Ayşe\nGüneş\nÇağla\n"), "windows-1254", "Ayşe\nGüneş\nÇağla\n", "windows-1254"},
		"what windows-1252 has not":     {in(charmap.Windows1252, german) + "\x81\r\n", "", german + "\xff\r\n", "windows-1252"},
		"windows-1251":                  {in(charmap.Windows1251, "Имя;Город\nИван;ПЕРМЬ\nОльга;Омск\n"), "", "Имя;Город\nИван;ПЕРМЬ\nОльга;Омск\n", "windows-1251"},
		"Shift_JIS":                     {in(japanese.ShiftJIS, "氏名,住所\n山田,東京都\nサトウ,おおさか\n"), "", "氏名,住所\n山田,東京都\nサトウ,おおさか\n", "shift_jis"},
		"GB18030":                       {in(simplifiedchinese.GB18030, "姓名,城市\n王伟,北京\n李娜,上海\n"), "", "姓名,城市\n王伟,北京\n李娜,上海\n", "gb18030"},
		"EUC-KR":                        {in(korean.EUCKR, "이름,도시\n김철수,서울\n이영희,부산\n박민수,대구\n"), "", "이름,도시\n김철수,서울\n이영희,부산\n박민수,대구\n", "euc-kr"},
		"Big5":                          {in(traditionalchinese.Big5, "姓名,城市\n陳大文,臺北市\n林美麗,高雄市\n"), "", "姓名,城市\n陳大文,臺北市\n林美麗,高雄市\n", "big5"},
		"one that is said":              {in(charmap.Windows1250, "Łódź"), "cp1250", "Łódź", "windows-1250"},
		"one that WHATWG does not know": {in(charmap.CodePage850, "Köln"), "CP850", "Köln", "cp850"},
		"UTF-8 that is said":            {"K\xf6ln", "UTF-8", "K\xf6ln", "utf-8"},
		"a character of U+FFFD":         {in(simplifiedchinese.GB18030, "北京"), "gb2312", "北京", "gbk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, f, err := read(c.file, decode.Options{Charset: c.said})
			if err != nil || text != c.text || f.Charset != c.charset {
				t.Errorf("%q as %s, %v, want %q as %s", text, f.Charset, err, c.text, c.charset)
			}
		})
	}
}

func TestPacked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, packed string }{
		"gzip":                     {gzipped("a,b\n"), "a,b\n", "gzip"},
		"ZIP":                      {zipped("people.csv", "a,b\n"), "a,b\n", "zip"},
		"what a Mac adds":          {zipped("__MACOSX/._people.csv", "x", "p/", "", "p/people.csv", "a,b\n", "p/.DS_Store", "x"), "a,b\n", "zip"},
		"another charset":          {zipped("people.csv", in(charmap.Windows1252, "Jörg\nRené\n")), "Jörg\nRené\n", "zip"},
		"a ZIP archive, with gzip": {gzipped(zipped("people.csv", "a,b\n")), "a,b\n", "gzip, zip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text, f, err := read(c.file, decode.Options{}); err != nil || text != c.text || f.Packed != c.packed {
				t.Errorf("%q in %s, %v, want %q in %s", text, f.Packed, err, c.text, c.packed)
			}
		})
	}
}

// What cannot be read is the file's fault, and says why; what could not be sent is not.
func TestRefused(t *testing.T) {
	t.Parallel()
	noText := "\x81\x8d\x8f\n\x90\x9d\x81\n"
	random := strings.Repeat("abcdefgh0123", 1000)
	for name, c := range map[string]struct {
		file, want string
		kind       fault.Kind
	}{
		"no charset":            {noText, "charset=windows-1253", fault.Validation},
		"an old workbook":       {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", ".xlsx", fault.Validation},
		"a PDF":                 {"%PDF-1.7", "PDF", fault.Validation},
		"half a gzip":           {gzipped(random)[:60], "cannot be unpacked", fault.Validation},
		"half a ZIP":            {zipped("a.csv", random)[:60], "cannot be unpacked", fault.Validation},
		"several files":         {zipped("a.csv", "a", "b.csv", "b"), "several files", fault.Validation},
		"an OpenDocument sheet": {zipped("mimetype", "x", "content.xml", "x"), "OpenDocument", fault.Validation},
		"a bomb as gzip":        {gzipped(strings.Repeat("\n", 64<<20)), "more than 100 to 1", fault.Validation},
		"a bomb as ZIP":         {zipped("a.csv", strings.Repeat("\n", 64<<20)), "more than 100 to 1", fault.Validation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(c.file, decode.Options{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(f.Fields()[0].Message, c.want) {
				t.Errorf("= %v, want a %s that says %q", err, c.kind, c.want)
			}
		})
	}
	away := errors.New("away")
	for name, file := range map[string]io.Reader{
		"a text":    io.MultiReader(strings.NewReader("a,b"), iotest.ErrReader(away)),
		"a gzip":    io.MultiReader(strings.NewReader(gzipped(random)[:40]), iotest.ErrReader(away)),
		"a ZIP":     io.MultiReader(strings.NewReader(zipped("a", random)[:40]), iotest.ErrReader(away)),
		"a nothing": iotest.ErrReader(away),
	} {
		text, _, err := decode.Open(file, decode.Options{})
		if err == nil {
			_, err = io.ReadAll(text)
		}
		if !errors.Is(err, away) {
			t.Errorf("%s that cannot be read on = %v, want why", name, err)
		}
	}
	short := errors.New("no memory")
	noise := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	if _, _, err := read(zipped("a", string(noise)), decode.Options{Grow: func(int) error { return short }}); err == nil ||
		strings.Contains(err.Error(), "unpacked") {
		t.Errorf("an archive for which there is no memory = %v, want that", err)
	}
}

// FuzzOpen: whatever a file is, it is text within bounds, or refused.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"a,b\n", "\xff\xfea\x00", "J\xf6rg\nRen\xe9\n", gzipped("a"), zipped("a.csv", "a"),
		workbook(sheet), "\x81\x8d\n\x8f", in(japanese.ShiftJIS, "山田\n東京\n")} {
		f.Add([]byte(seed), "")
	}
	f.Add([]byte("a"), "utf-16")
	f.Fuzz(func(t *testing.T, file []byte, charset string) {
		held := 0
		in, _, err := decode.Open(bytes.NewReader(file), decode.Options{Charset: charset, Grow: func(n int) error {
			held += n
			return nil
		}})
		if err == nil {
			var n int64
			n, err = io.Copy(io.Discard, in)
			if n > 16<<20+100*int64(len(file)) {
				t.Fatalf("%d bytes became %d", len(file), n)
			}
		}
		var known *fault.Error
		if err != nil && !errors.As(err, &known) {
			t.Fatalf("Open(%q) = %v, want a fault", file, err)
		}
		if held > 64<<20+2*len(file) {
			t.Fatalf("%d bytes were held for %d", held, len(file))
		}
	})
}
