package leadfile_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"leadgate/shared/leadfile"
	"leadgate/shared/leadfile/decode"
)

// taken is a file as an upload takes it in: how it was read, and its rows.
func taken(t testing.TB, file string, o decode.Options, said leadfile.Said) (imp *leadfile.Import, rows []string) {
	t.Helper()
	text, found, err := decode.Open(strings.NewReader(file), o)
	if err != nil {
		t.Fatalf("Open(%.60q) = %v", file, err)
	}
	all, err := io.ReadAll(text)
	if err != nil {
		t.Fatalf("reading %.60q: %v", file, err)
	}
	imp = &leadfile.Import{Format: leadfile.CSV}
	if leadfile.LooksLikeLines(all) {
		imp.Format = leadfile.NDJSON
	} else if imp.Options, imp.Position, err = leadfile.ReadHeader(all[:min(len(all), decode.Sample)], said); err != nil {
		t.Fatalf("ReadHeader(%.60q) = %v", all, err)
	}
	imp.Options.Found = &found
	if rows, err = readAll(t, imp, string(all)); err != nil {
		t.Fatalf("rows of %.60q: %v", all, err)
	}
	return imp, rows
}

func in(e encoding.Encoding, text string) string {
	encoded, err := e.NewEncoder().String(text)
	if err != nil {
		panic(err)
	}
	return encoded
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text) // a buffer takes everything
	z.Close()
	return b.String()
}

const plainAnn = `1 Ann <ann@example.com>  api/new {}`

// Files as programs and people make them.
func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		decode     decode.Options
		said       leadfile.Said
		want       []string
	}{
		{"Unicode text of a spreadsheet", in(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
			"Email\tName\r\nann@example.com\tÅnn\r\n"), decode.Options{}, leadfile.Said{},
			[]string{`1 Ånn <ann@example.com>  api/new {}`}},
		{"UTF-16, big end first", in(unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "email,name\nann@example.com,Ann\n"),
			decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"UTF-16 without a mark", in(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
			"email,name\nann@example.com,Ann\n"), decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"windows-1252", in(charmap.Windows1252, "E-Mail;Name;Ort\r\njoerg@example.com;Jörg Müller;Köln – Süd\r\n"+
			"rene@example.com;René Fougère;Besançon\r\n"), decode.Options{}, leadfile.Said{},
			[]string{`1 Jörg Müller <joerg@example.com>  api/new {"Ort":"Köln – Süd"}`,
				`2 René Fougère <rene@example.com>  api/new {"Ort":"Besançon"}`}},
		{"windows-1251", in(charmap.Windows1251, "Почта;Имя\nivan@example.com;Иван Петров\nolga@example.com;Ольга Ким\n"),
			decode.Options{}, leadfile.Said{}, []string{`1 Иван Петров <ivan@example.com>  api/new {}`,
				`2 Ольга Ким <olga@example.com>  api/new {}`}},
		{"Shift_JIS", in(japanese.ShiftJIS, "メールアドレス,氏名\nyamada@example.com,山田 太郎\nsato@example.com,佐藤 花子\n"),
			decode.Options{}, leadfile.Said{}, []string{`1 山田 太郎 <yamada@example.com>  api/new {}`,
				`2 佐藤 花子 <sato@example.com>  api/new {}`}},
		{"GB18030", in(simplifiedchinese.GB18030, "邮箱,姓名\nwang@example.com,王伟\nli@example.com,李娜\n"),
			decode.Options{}, leadfile.Said{}, []string{`1 王伟 <wang@example.com>  api/new {}`,
				`2 李娜 <li@example.com>  api/new {}`}},
		{"a charset that is said", in(charmap.Windows1250, "email,name\nann@example.com,Łucja Wałęsa\n"),
			decode.Options{Charset: "windows-1250"}, leadfile.Said{}, []string{`1 Łucja Wałęsa <ann@example.com>  api/new {}`}},
		{"one wrong byte costs its row", "email,name\n" + strings.Repeat("a@example.com,Ann\n", 4) +
			"b@example.com,10 \x96 20\nc@example.com,\n", decode.Options{}, leadfile.Said{}, []string{
			`1 Ann <a@example.com>  api/new {}`, `2 Ann <a@example.com>  api/new {}`, `3 Ann <a@example.com>  api/new {}`,
			`4 Ann <a@example.com>  api/new {}`, `5! row="" Must be text of the file's charset: a character of this row is none. Say with charset= which one it is`,
			`6  <c@example.com>  api/new {}`}},
		{"gzip", gzipped("email,name\nann@example.com,Ann\n"), decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"a line sep=", "sep=;\r\nemail;name\r\nann@example.com;Ann\r\n", decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"pipes", "name|email\nAnn|ann@example.com\n", decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"a delimiter that is said", "name^email\nAnn^ann@example.com\n", decode.Options{}, leadfile.Said{Delimiter: "^"},
			[]string{plainAnn}},
		{"quotes that are said", "name,email\n'Ann, Lee',ann@example.com\n", decode.Options{}, leadfile.Said{Quote: "'"},
			[]string{`1 Ann, Lee <ann@example.com>  api/new {}`}},
		{"no quotes", "name,email\n\"Ann,ann@example.com\n", decode.Options{}, leadfile.Said{Quote: "none"},
			[]string{`1 "Ann <ann@example.com>  api/new {}`}},
		{"a title and a blank line", "People of the fair\nas of May, 2026\n\nName,Email\nAnn,ann@example.com\n",
			decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"a footer", "Name,Email\nAnn,ann@example.com\n\nTotal: 1\n", decode.Options{}, leadfile.Said{},
			[]string{plainAnn, `2! email="" Must be given: a lead is known by its email`}},
		{"a header nobody knows", "Wer,Wohin damit\nAnn,ann@example.com\n", decode.Options{}, leadfile.Said{},
			[]string{`1  <ann@example.com>  api/new {"Wer":"Ann"}`}},
		{"no header", "ann@example.com\nbob@example.com\n", decode.Options{}, leadfile.Said{},
			[]string{`1  <ann@example.com>  api/new {}`, `2  <bob@example.com>  api/new {}`}},
		{"no header, more columns", "Ann;ann@example.com\nBob;bob@example.com\n", decode.Options{},
			leadfile.Said{Mapping: leadfile.Mapping{"column 1": to("name")}},
			[]string{plainAnn, `2 Bob <bob@example.com>  api/new {}`}},
		{"a header that is said", "Email\nReport of May\nWho,Where\nAnn,ann@example.com\n", decode.Options{},
			leadfile.Said{Header: "3", Mapping: leadfile.Mapping{"WHO": to("name")}}, []string{plainAnn}},
		{"no header, as is said", "Email,ann@example.com\n", decode.Options{}, leadfile.Said{Header: "none"},
			[]string{`1  <ann@example.com>  api/new {"Column 1":"Email"}`}},
		{"a name twice, one that is long, one of lines, empty ones", "Email,Notes,Notes,\"How\r\nmany?\"," +
			strings.Repeat("q", 300) + ",,\r\nann@example.com,a,b,5,x,,\r\n", decode.Options{}, leadfile.Said{},
			[]string{`1  <ann@example.com>  api/new {"Notes":"a","Notes 2":"b","How many?":"5","` + strings.Repeat("q", 199) +
				`…":"x"}`}},
		{"a name twice, which the mapping drops", "Email,Notes,Notes\nann@example.com,a,b\n", decode.Options{},
			leadfile.Said{Mapping: leadfile.Mapping{"notes": nil}}, []string{`1  <ann@example.com>  api/new {}`}},
		{"what cannot be seen", "\ufeff\ufeffemail\u200b,\u00a0name\nann@example.com\u200b,\u00a0Ann\u2060\n\x1a",
			decode.Options{}, leadfile.Said{}, []string{plainAnn}},
		{"cells of spreadsheets and mail programs", "email,phone,zip\n\"Ann <ann@example.com>\",=\"+15550100\",\"=\"\"00123\"\"\"\n" +
			"mailto:bob@example.com,p:+15550101,'=1\n", decode.Options{}, leadfile.Said{},
			[]string{`1 Ann <ann@example.com> +15550100 api/new {"zip":"00123"}`,
				`2  <bob@example.com> +15550101 api/new {"zip":"=1"}`}},
		{"what stands for nothing, and a number that was rounded", "email,name,phone,n\nann@example.com,\\N,1.55501E+10,#N/A\n",
			decode.Options{}, leadfile.Said{}, []string{`1  <ann@example.com> 1.55501E+10 api/new {} ?phone`}},
		{"phones of three names", "Business Phone,Mobile Phone,E-mail Address\n1555,1556,ann@example.com\n1557,,bob@example.com\n",
			decode.Options{}, leadfile.Said{}, []string{`1  <ann@example.com> 1556 api/new {"Business Phone":"1555"}`,
				`2  <bob@example.com> 1557 api/new {}`}},
		{"contacts of Google", "First Name,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value\n" +
			"Ann,* Work,ann@example.com,Mobile,'1555\n", decode.Options{}, leadfile.Said{}, []string{
			`1 Ann <ann@example.com> 1555 api/new {"E-mail 1 - Label":"* Work","Phone 1 - Label":"Mobile"}`}},
		{"names of two people", "First Name,Surname,Email,Buyer Email,Buyer Name\nAnn,Lee,ann@example.com,bob@example.com,Bob\n",
			decode.Options{}, leadfile.Said{}, []string{
				`1 Ann Lee <ann@example.com>  api/new {"Buyer Email":"bob@example.com","Buyer Name":"Bob"}`}},
		{"more addresses in another column", "Email,Additional emails\nann@example.com,a@example.com;b@example.com\n",
			decode.Options{}, leadfile.Said{}, []string{
				`1  <ann@example.com>  api/new {"Additional emails":"a@example.com;b@example.com"} ?Additional emails`}},
		{"statuses of another system", "email,status\nann@example.com,Open - Not Contacted\n", decode.Options{}, leadfile.Said{},
			[]string{`1  <ann@example.com>  api/new {"status":"Open - Not Contacted"} ?status`}},
		{"CR, CR CR LF, and both mixed", "email\rann@example.com\r\r\nbob@example.com\ncat@example.com\r\n", decode.Options{},
			leadfile.Said{}, []string{`1  <ann@example.com>  api/new {}`, `2  <bob@example.com>  api/new {}`,
				`3  <cat@example.com>  api/new {}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, got := taken(t, c.file, c.decode, c.said)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The mark of UTF-32 begins as that of UTF-16 does.
func TestUTF32(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]utf32.Endianness{"utf-32le": utf32.LittleEndian, "utf-32be": utf32.BigEndian} {
		imp, rows := taken(t, in(utf32.UTF32(order, utf32.UseBOM), "email,name\nann@example.com,Ann\n"), decode.Options{},
			leadfile.Said{})
		if diff := cmp.Diff([]string{plainAnn}, rows); diff != "" || imp.Options.Found.Charset != name {
			t.Errorf("rows of %s (-want +got):\n%s", imp.Options.Found.Charset, diff)
		}
	}
}

// Quotes that are not as RFC 4180 has them cost at most their own row.
func TestQuotes(t *testing.T) {
	t.Parallel()
	const open = `! row="ann@example.com,\"Ann,x" Must close each quote in its line: a quote inside a quoted cell is written twice`
	bobs := strings.Repeat("bob@example.com,Bob,y\n", 50)
	for _, c := range []struct {
		name, rows string
		want       []string // the first rows
		n          int
	}{
		{"one that nothing closes", "ann@example.com,\"Ann,x\n" + bobs, []string{"1" + open,
			`2 Bob <bob@example.com>  api/new {"notes":"y"}`}, 51},
		{"one that another row closes", "ann@example.com,\"Ann,x\n" + bobs + "cat@example.com,\"Cat, Jr\",z\n",
			[]string{"1" + open, `2 Bob <bob@example.com>  api/new {"notes":"y"}`}, 52},
		{"one that the next row closes", "ann@example.com,\"Ann,x\nbob@example.com,\"Bob, Jr\",y\n",
			[]string{"1" + open, `2 Bob, Jr <bob@example.com>  api/new {"notes":"y"}`}, 2},
		{"one at the end", "ann@example.com,\"Ann,x", []string{"1" + open}, 1},
		{"one that swallows a row and ends as it should", "ann@example.com,Ann,\"call\nbob@example.com,Bob,5\"\"\"\n",
			[]string{`1 Ann <ann@example.com>  api/new {"notes":"call\nbob@example.com,Bob,5\""} ?row`}, 1},
		{"a cell of many lines", "ann@example.com,Ann,\"" + strings.Repeat("a line, and another\n", 100) + "\"\n",
			[]string{`1 Ann <ann@example.com>  api/new {"notes":"` + strings.TrimSuffix(strings.Repeat(`a line, and another\n`,
				100), `\n`) + `"}`}, 1},
		{"inches and nicknames", "ann@example.com,Ann,20\" pipe\nbob@example.com,\"Bob\" Cole,x\n",
			[]string{`1 Ann <ann@example.com>  api/new {"notes":"20\" pipe"}`,
				`2 "Bob" Cole <bob@example.com>  api/new {"notes":"x"} ?row`}, 2},
		{"spaces around quotes", "ann@example.com, \"Ann, Lee\" , \"x\"\n",
			[]string{`1 Ann, Lee <ann@example.com>  api/new {"notes":"x"}`}, 1},
		{"backslashes before quotes", `ann@example.com,"Ann","she said \"call\", and left"` + "\n" +
			`bob@example.com,"Bob\\","\"x\""` + "\n", []string{
			`1 Ann <ann@example.com>  api/new {"notes":"she said \"call\", and left"}`,
			`2 Bob\ <bob@example.com>  api/new {"notes":"\"x\""}`}, 2},
		{"paths of Windows", `ann@example.com,"Ann","C:\files\"` + "\n",
			[]string{`1 Ann <ann@example.com>  api/new {"notes":"C:\\files\\"}`}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, got := taken(t, "email,name,notes\n"+c.rows, decode.Options{}, leadfile.Said{})
			if diff := cmp.Diff(c.want, got[:min(len(got), len(c.want))]); diff != "" || len(got) != c.n {
				t.Errorf("%d rows, want %d (-want +got):\n%s", len(got), c.n, diff)
			}
		})
	}
}

// What was found out about a file is kept with its import.
func TestFound(t *testing.T) {
	t.Parallel()
	file := gzipped(in(charmap.Windows1252, "Gäste\r\nName;E-Mail;Größe\r\nAnn;ann@example.com;müde\r\nBea;bea@example.com;wach\r\n"))
	imp, _ := taken(t, file, decode.Options{}, leadfile.Said{})
	want := leadfile.Options{Delimiter: ";", Header: 2, Found: &decode.Found{Packed: "gzip", Charset: "windows-1252"},
		Columns: []leadfile.Column{{Name: "Name", To: "name", Rank: 1}, {Name: "E-Mail", To: "email"},
			{Name: "Größe", To: "metadata.Größe"}}}
	if diff := cmp.Diff(want, imp.Options); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
