package leadfile_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
)

var statuses = lead.Rules{Statuses: []string{"new", "contacted"}}

// mustPlan reads a file's header as an upload does.
func mustPlan(t testing.TB, text string, m leadfile.Mapping) *leadfile.Import {
	t.Helper()
	o, start, err := leadfile.ReadHeader([]byte(text), leadfile.Said{Mapping: m})
	if err != nil {
		t.Fatalf("ReadHeader(%.80q) = %v", text, err)
	}
	return &leadfile.Import{Format: leadfile.CSV, Options: o, Position: start}
}

// readAll reads all rows from the import's position on; rows are told as short texts.
func readAll(t testing.TB, imp *leadfile.Import, text string) (rows []string, err error) {
	t.Helper()
	r, err := leadfile.NewReader(strings.NewReader(text[imp.Position:]), imp, statuses)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, told(row))
	}
}

func told(row leadfile.Row) string {
	if w := row.Wrong; w != nil {
		return fmt.Sprintf("%d! %s=%q %s", w.Row, w.Field, w.Value, w.Message)
	}
	d := row.Draft
	text := fmt.Sprintf("%d %s <%s> %s %s/%s %s", row.Number, d.Name, d.Email, d.Phone, d.Source, d.Status, d.Metadata)
	if row.Chatbot != (id.UUID{}) {
		text += " " + id.Chatbot.Format(row.Chatbot)
	}
	for _, w := range row.Warnings {
		text += " ?" + w.Field
	}
	return text
}

func to(s string) *string { return &s }

func TestRowsBecomeLeads(t *testing.T) {
	t.Parallel()
	bot := id.Chatbot.Format(id.New())
	for _, c := range []struct {
		name, text string
		mapping    leadfile.Mapping
		want       []string
	}{
		{"names as people write them",
			"E-Mail,First Name,last_name,Mobile,Company\nAnn@Example.com, Ann ,Lee,+1-555-0100,Acme\n",
			nil, []string{`1 Ann Lee <Ann@Example.com> +1-555-0100 api/new {"Company":"Acme"}`}},
		{"semicolons, a mark, CRLF, blank lines",
			"\xEF\xBB\xBFname;email\r\n\r\nAnn;ann@example.com\r\n;\r\nBob;bob@example.com", nil,
			[]string{`1 Ann <ann@example.com>  api/new {}`, `2 Bob <bob@example.com>  api/new {}`}},
		{"tabs and CR", "name\temail\rAnn\tann@example.com\rBob\tbob@example.com\r", nil,
			[]string{`1 Ann <ann@example.com>  api/new {}`, `2 Bob <bob@example.com>  api/new {}`}},
		{"quotes", "email,note\n\"ann@example.com\",\"said \"\"hi,\"\"\nand left\"\nbob@example.com,6\" pipe\n", nil,
			[]string{`1  <ann@example.com>  api/new {"note":"said \"hi,\"\nand left"}`,
				`2  <bob@example.com>  api/new {"note":"6\" pipe"}`}},
		{"mapped", "Work Email,Email,Who,Junk,Status\na@example.com,b@example.com,Ann,x,Contacted\n",
			leadfile.Mapping{"Work Email": to("email"), "Who": to("name"), "Junk": nil},
			[]string{`1 Ann <a@example.com>  api/contacted {"Email":"b@example.com"}`}},
		{"several columns for one field", "Office,Mobile,Mail 1,Mail 2,Phone\n1555,1556,,b@example.com,1557\n,1556,a@example.com,,\n",
			leadfile.Mapping{"Mobile": to("phone"), "Office": to("phone"), "Mail 2": to("email"), "Mail 1": to("email")},
			[]string{`1  <b@example.com> 1555 api/new {"Mobile":"1556","Phone":"1557"}`, `2  <a@example.com> 1556 api/new {}`}},
		{"what an export says of formulas", "email,phone,note\na@example.com,'+1-555-0100,'=1+1\n", nil,
			[]string{`1  <a@example.com> +1-555-0100 api/new {"note":"=1+1"}`}},
		{"a whole metadata", "email,metadata,plan,chatbotId\na@example.com,\"{\"\"a\"\":[1]}\",pro," + bot +
			"\nb@example.com,{},,\nc@example.com,{},pro,\n", nil,
			[]string{`1  <a@example.com>  api/new {"plan":"pro","a":[1]} ` + bot, `2  <b@example.com>  api/new {}`,
				`3  <c@example.com>  api/new {"plan":"pro"}`}},
		{"a metadata that is a text", "email,metadata\na@example.com,needs a call back\nb@example.com,none\n" +
			"c@example.com,wants a call\nd@example.com,null\n", nil, []string{
			`1  <a@example.com>  api/new {"metadata":"needs a call back"} ?metadata`,
			`2  <b@example.com>  api/new {"metadata":"none"} ?metadata`,
			`3  <c@example.com>  api/new {"metadata":"wants a call"} ?metadata`, `4  <d@example.com>  api/new {}`}},
		{"members of metadata, as tools flatten them", "email,metadata.company,metadata_plan,Metadata[size],metadata[a][b],company," +
			"metadata\na@example.com,nvidia,pro,5,x,Acme,\"{\"\"tier\"\":1}\"\n", nil,
			[]string{`1  <a@example.com>  api/new {"company":"nvidia","plan":"pro","size":"5","a.b":"x","company 2":"Acme","tier":1}`}},
		{"a member called like a field", "email,metadata.your name,metadata_email\na@example.com,Ann,b@example.com\n", nil,
			[]string{`1  <a@example.com>  api/new {"your name":"Ann","email":"b@example.com"}`}},
		{"too few cells are empty ones", "email,name,phone\na@example.com\n", nil,
			[]string{`1  <a@example.com>  api/new {}`}},
		{"mistakes",
			"email,name,status,\nx,,,\n,Ann,,\na@example.com,,gone,\na@example.com,,,1\na@example.com,,,,2\n\"a@example.com\"x,,\na@example.com,\"a\nb\",\na@example.com,\xff,\n", nil,
			[]string{
				`1! email="x" Must be a valid email address`,
				`2! email="" Must be given: a lead is known by its email`,
				`3  <a@example.com>  api/new {"status":"gone"} ?status`,
				`4  <a@example.com>  api/new {"Column 4":"1"} ?row`,
				`5  <a@example.com>  api/new {"Column 5":"2"} ?row`,
				`6! email="\"a@example.com\"x" Must be a valid email address`,
				`7 a b <a@example.com>  api/new {}`,
				`8! row="" Must be text of the file's charset: a character of this row is none. Say with charset= which one it is`,
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			imp := mustPlan(t, strings.ToValidUTF8(c.text, "?"), c.mapping) // what is wrong later is not seen by then
			got, err := readAll(t, imp, c.text)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		})
	}
}

func TestLongTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", lead.MaxMetadata)
	text := "email,name,note\na@example.com," + strings.Repeat("é", lead.MaxName) + ",\na@example.com," +
		strings.Repeat("é", lead.MaxName+1) + ",\na@example.com,," + long +
		"\nb@example.com,," + long + long + "\nc@example.com,,\n"
	got, err := readAll(t, mustPlan(t, text, nil), text)
	if err != nil || len(got) != 5 {
		t.Fatalf("rows = %d, %v, want 5", len(got), err)
	}
	for i, want := range []string{"1 é", "2 éé", "3  <a@example.com>  api/new {\"note\":\"xxx",
		`4! row="" Must be at most 65536 bytes`, "5  <c@example.com>"} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("row %d = %.100q, want it to begin with %q", i+1, got[i], want)
		}
	}
}

// What cannot be read on fails and says where, and what stands before is read.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][2]string{
		"a line that is longer than any row": {"email\na@example.com\n" + strings.Repeat("x", 2<<20),
			"Row 2: it is longer than 1048576 bytes: this is no list of rows"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(t, mustPlan(t, c[0], nil), c[0])
			reason, ok := leadfile.Broken(err)
			if !ok || reason != c[1] || len(got) != 1 {
				t.Errorf("%s: %d rows, then %v, want 1 and %q", name, len(got), err, c[1])
			}
		})
	}
	lines := strings.Repeat("a@example.com\n", leadfile.MaxRows+1)
	imp := mustPlan(t, "email\n"+lines, nil)
	imp.Rows = leadfile.MaxRows - 2
	got, err := readAll(t, imp, "email\n"+lines)
	if reason, _ := leadfile.Broken(err); len(got) != 2 || !strings.Contains(reason, "more than 1000000 rows") {
		t.Errorf("%d rows, then %v, want 2 and that there are too many", len(got), err)
	}
}

// A reader that begins where another one stopped reads the same as one that did not stop.
func TestReadingOn(t *testing.T) {
	t.Parallel()
	text := "\xEF\xBB\xBFemail,note\na@example.com,\"x\ny\"\n\nb@example.com,z\r\nbad,\"\nc@example.com,\"d\" e\n\x1a"
	imp := mustPlan(t, text, nil)
	want, err := readAll(t, imp, text)
	if err != nil || len(want) != 4 {
		t.Fatalf("rows = %q, %v, want 4", want, err)
	}
	var got []string
	for at := imp.Position; ; {
		one := *imp
		one.Position, one.Rows = at, len(got)
		r, err := leadfile.NewReader(iotest.OneByteReader(strings.NewReader(text[at:])), &one, statuses)
		if err != nil {
			t.Fatal(err)
		}
		row, err := r.Read()
		if err == io.EOF {
			if r.Offset() != int64(len(text)) {
				t.Errorf("Offset() = %d at the end, want %d", r.Offset(), len(text))
			}
			break
		}
		if err != nil || row.End <= at {
			t.Fatalf("Read() = %+v, %v, want a row that ends after %d", row, err, at)
		}
		got, at = append(got, told(row)), row.End
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("one reader, and one for each row:\n%s", diff)
	}
	broken := errors.New("away")
	r, _ := leadfile.NewReader(io.MultiReader(strings.NewReader("a@example.com,\n"), iotest.ErrReader(broken)), imp,
		statuses)
	if _, err := r.Read(); !errors.Is(err, broken) {
		t.Errorf("Read() of a source that fails = %v, want its error", err)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		mapping leadfile.Mapping
		want    []string // field, value, message of each mistake
	}{
		"no email": {"name,phone\n", nil,
			[]string{"email <nil> Must be a column of the file, or be assigned to one with mapping: row 1 was read as the header, and has name, phone"}},
		"unknown column, target": {"email,a\n", leadfile.Mapping{"b": to("name"), "a": to("nickname")},
			[]string{"mapping nickname Must be null, or one of email",
				"mapping b Must be the name of a column: the file has email, a"}},
		"a member twice": {"email,a,b\n", leadfile.Mapping{"a": to("metadata.x"), "b": to("metadata.x")},
			[]string{"mapping metadata.x Must be assigned to only one column: a has it too"}},
		"an empty member": {"email,a\n", leadfile.Mapping{"a": to("metadata.")},
			[]string{"mapping metadata. Must be null, or one of"}},
		"the email dropped": {"email,a\n", leadfile.Mapping{"email": nil}, []string{"email <nil> Must be a column"}},
		"nothing":           {"", nil, []string{"body <nil> Must be a file with a header"}},
		"blank lines":       {"\n\r\n", nil, []string{"body <nil> Must be a file with a header"}},
		"too many": {"email" + strings.Repeat(",a", 600), nil,
			[]string{"header <nil> Must have at most 500 columns"}},
		"a quote without end": {"\"email,a\n", nil,
			[]string{"header <nil> Must be one row of column names"}},
		"too long": {strings.Repeat("email,", 100_000), nil, []string{"header <nil> Must be one row of column names"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := leadfile.ReadHeader([]byte(c.text), leadfile.Said{Mapping: c.mapping})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Validation {
				t.Errorf("%s: ReadHeader() = %v, want a VALIDATION_ERROR", name, err)
				return
			}
			text := fmt.Sprint(f.Details)
			for _, want := range c.want {
				if !strings.Contains(text, strings.ReplaceAll(want, " <nil> ", " ")) && !strings.Contains(text, want) &&
					!containsParts(text, want) {
					t.Errorf("%s: %s, want %q in it", name, text, want)
				}
			}
		})
	}
}

// containsParts allows for the pointer between field and value.
func containsParts(text, want string) bool {
	field, rest, _ := strings.Cut(want, " ")
	return strings.Contains(text, field+"  "+rest)
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	bot := id.Chatbot.Format(id.New())
	text := "\xEF\xBB\xBF" + `{"email":"a@example.com","name":"Ann","metadata":{"chatbotId":1}}` + "\r\n\n" +
		`{"chatbotId":"` + bot + `","email":"b@example.com","source":"web"}` + "\n" +
		`{"email":"c@example.com","chatbotId":null,"source":null}` + "\n" +
		`{"email":"nobody","chatbotId":"` + bot + `"}` + "\n" +
		`{"email":"d@example.com","chatbotId":"we_1"}` + "\n" +
		`{"email":"d@example.com","chatbotId":7}` + "\n" +
		`{"email":"d@example.com"` + "\n" + `[]` + "\n" + `{"email":"d@example.com","x":1} {}` + "\n" +
		`{"chatbotId":"` + bot + `","chatbotId":"` + bot + `","email":"d@example.com"}` + "\n" +
		`{"email":"d@example.com","name":"` + strings.Repeat("x", leadfile.MaxRow) + `"}` + "\n" + `{"email":"e@example.com"}`
	imp := &leadfile.Import{Format: leadfile.NDJSON, Options: leadfile.Options{Source: "fair"}}
	got, err := readAll(t, imp, text)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`1 Ann <a@example.com>  fair/new {"chatbotId":1}`,
		`2  <b@example.com>  web/new {} ` + bot,
		`3  <c@example.com>  fair/new {}`,
		`4! email="nobody" Must be a valid email address`,
		`5  <d@example.com>  fair/new {"chatbotId":"we_1"} ?chatbotId`,
		`6  <d@example.com>  fair/new {"chatbotId":"7"} ?chatbotId`,
		`7! body="" Must be complete JSON: the body ends too early`,
		`8! body="" Must be a JSON object`,
		`9! body="" Must be one JSON object and nothing after it`,
		`10  <d@example.com>  fair/new {} ` + bot,
		`11! row="" Must be at most 65536 bytes`,
		`12  <e@example.com>  fair/new {}`,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("rows = %q,\nwant %q", got, want)
			break
		}
	}
}

// FuzzCSV: whatever the file is, rows go on, stay within it, and nothing that Postgres could not hold is told.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"email\na@example.com\n", "email;n\n\"a@example.com\";\"x\"\"y\"\n",
		"name\temail\r\r\n\"", "email,metadata,a\na@example.com,{},1\n", "email,\n\x00,\xff\n",
		"'=email,email\n'+a@example.com,=b", "sep=;\na@example.com;\"x\nb@example.com;y\"\n",
		"id,email,createdAt,updatedAt,metadata\n,\"a\\\"b\",,,\n"} {
		f.Add(seed, "", "", "")
	}
	f.Add("email^n\n'a@example.com'^1\n", "^", "'", "1")
	f.Add("a@example.com\n", ",", "none", "none")
	f.Fuzz(func(t *testing.T, text, delimiter, quote, header string) {
		o, start, err := leadfile.ReadHeader([]byte(text), leadfile.Said{Delimiter: delimiter, Quote: quote, Header: header})
		if err != nil {
			if !fault.Is(err, fault.Validation) {
				t.Fatalf("ReadHeader(%q) = %v, want a VALIDATION_ERROR", text, err)
			}
			return
		}
		check(t, &leadfile.Import{Format: leadfile.CSV, Options: o, Position: start}, text)
	})
}

// FuzzNDJSON is FuzzCSV of the other format.
func FuzzNDJSON(f *testing.F) {
	for _, seed := range []string{`{"email":"a@example.com"}`, "{}\n[]\n\n", `{"chatbotId":"cb_","email":1,"email":2}`,
		"{\"email\":\"a@example.com\",\"chatbotId\":\"\\ud800\"}\n\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		check(t, &leadfile.Import{Format: leadfile.NDJSON, Options: leadfile.Options{Source: "s"}}, text)
	})
}

func check(t *testing.T, imp *leadfile.Import, text string) {
	r, err := leadfile.NewReader(strings.NewReader(text[imp.Position:]), imp, statuses)
	if err != nil {
		t.Fatal(err)
	}
	last := imp.Position
	for n := 1; ; n++ {
		row, err := r.Read()
		if err != nil {
			if _, known := leadfile.Broken(err); !known && err != io.EOF {
				t.Fatalf("Read(%q) = %v", text, err)
			}
			return
		}
		if row.Number != n || row.End <= last || row.End > int64(len(text)) {
			t.Fatalf("row %d of %q ends at %d after %d", row.Number, text, row.End, last)
		}
		last = row.End
		if w := row.Wrong; w != nil {
			if strings.ContainsRune(w.Value+w.Field, 0) || strings.ToValidUTF8(w.Value+w.Field+w.Message, "") != w.Value+w.Field+
				w.Message || w.Message == "" {
				t.Fatalf("row %d of %q: %+v", n, text, w)
			}
			continue
		}
		if d, err := lead.Parse([]byte(`{"email":"a@example.com","metadata":`+string(row.Draft.Metadata)+`}`),
			statuses); err != nil || d.Metadata == nil || row.Draft.AddressKey == "" {
			t.Fatalf("row %d of %q = %+v: %v", n, text, row.Draft, err)
		}
	}
}

func file(rows int) string {
	var b strings.Builder
	b.WriteString("email,name,phone,utm_source,company,row\n")
	for i := range rows {
		fmt.Fprintf(&b, "person%d@example.com,Ann Lee %d,+1-555-0100,google,Acme Inc,%d\n", i, i, i)
	}
	return b.String()
}

// Rows per second: 1e9 / (ns/op / 10_000).
func BenchmarkReadCSV(b *testing.B) {
	text := file(10_000)
	imp := mustPlan(b, text, nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := leadfile.NewReader(strings.NewReader(text[imp.Position:]), imp, statuses)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ; err != io.EOF; n++ {
			if _, err = r.Read(); err != nil && err != io.EOF {
				b.Fatal(err)
			}
		}
		if n != 10_001 {
			b.Fatal(n)
		}
	}
}

// BenchmarkStandardCSV is what encoding/csv alone takes for the same file, without making leads.
func BenchmarkStandardCSV(b *testing.B) {
	text := file(10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := csv.NewReader(strings.NewReader(text))
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); err == io.EOF {
				break
			}
		}
	}
}
