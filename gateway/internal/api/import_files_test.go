package api_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// detected is how a file was read, as a client sees it.
type detected struct {
	Charset                         string
	Packed, Sheet, Delimiter, Quote *string
	Header                          *int
	Columns                         []struct{ Name, To string }
}

func pointer[T any](v T) *T { return &v }

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text) // a buffer takes everything
	z.Close()
	return b.String()
}

// workbook is the least that a program needs to read rows.
func workbook(rows string) string {
	const ns = ` xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"xl/workbook.xml": `<workbook` + ns + ` xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
			`<sheets><sheet name="People" r:id="a"/><sheet name="More" r:id="b"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="a" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   `<worksheet` + ns + `><sheetData>` + rows + `</sheetData></worksheet>`,
	} {
		w, _ := z.Create(name)
		io.WriteString(w, text)
	}
	z.Close()
	return b.String()
}

func formOf(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; " + fields[i] + "\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

// A file is taken however it is sent and packed, and the import shows how it was read.
func TestImportsOfFilesAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const text = "email,name\nann@example.com,Ann\n"
	columns := []struct{ Name, To string }{{"email", "email"}, {"name", "name"}}
	plain := detected{Charset: "utf-8", Delimiter: pointer(","), Quote: pointer(`"`), Header: pointer(1), Columns: columns}
	packed := plain
	packed.Packed = pointer("gzip")
	book := plain
	book.Packed, book.Sheet = pointer("xlsx"), pointer("People")
	ansi := plain
	ansi.Charset = "windows-1252"
	cells := `<row r="1"><c r="A1" t="str"><v>email</v></c><c r="B1" t="str"><v>name</v></c></row>` +
		`<row r="2"><c r="A2" t="str"><v>ann@example.com</v></c><c r="B2" t="str"><v>Ann</v></c></row>`
	for _, c := range []struct {
		name, query, contentType, file string
		want                           detected
	}{
		{"as no type", "", "", text, plain},
		{"as a spreadsheet", "", "application/vnd.ms-excel", text, plain},
		{"as curl sends it", "", "application/x-www-form-urlencoded", text, plain},
		{"as text in a charset", "", "text/csv; charset=iso-8859-1", text, ansi},
		{"with gzip", "", "application/gzip", gzipped(text), packed},
		{"as a workbook", "", "application/octet-stream", workbook(cells), book},
		{"in a form", "", "multipart/form-data; boundary=B", formOf(`name="format"`, "csv", `name="x"; filename="leads.csv"`, text), plain},
		{"as a workbook in a form", "?sheet=People", "multipart/form-data; boundary=B", formOf(`name="file"`, workbook(cells)), book},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, _ := mustImport(t, b.upload(t, b.secret, c.query, c.contentType, strings.NewReader(c.file)), 202)
			if diff := cmp.Diff(&c.want, made.Detected); diff != "" || made.Bytes != int64(len(text)) {
				t.Errorf("import of %d bytes (-want +got):\n%s", made.Bytes, diff)
			}
			b.db.MustExecContext(t.Context(), `update imports set state = 'done', finished_at = now()`)
		})
	}
	if page := b.send(t, b.secret, "GET", "/api/v1/imports", ""); !strings.Contains(page.text, `"columns":null`) ||
		strings.Contains(page.text, `"columns":[`) {
		t.Errorf("list = %s, want it without columns", page.text)
	}
	empty := b.upload(t, b.secret, "", "", strings.NewReader(workbook(`<row r="1"><c r="A1" t="str"><v>Notes</v></c></row>`)))
	empty.wantError(t, "a sheet without emails", 400, "VALIDATION_ERROR")
	if !strings.Contains(empty.text, "The workbook has other sheets, which sheet= names: More") {
		t.Errorf("a sheet without emails = %s, want the other one named", empty.text)
	}
	b.upload(t, b.secret, "", "multipart/form-data; boundary=B", strings.NewReader(formOf(`name="a"; filename="a"`, text,
		`name="b"; filename="b"`, text))).wantError(t, "a form of two files", 400, "VALIDATION_ERROR")
}

// A dry run shows what a file would become, and nothing is stored.
func TestImportDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := "Report\nWork mail;Who;Status;\nAnn <ann@example.com>;Ann\tLee;Hot;x\nnobody;Bob;new;\n" +
		strings.Repeat("c@example.com;;;\n", 100_000)
	got := b.upload(t, b.secret, "?dryRun=true&source=fair&mapping="+url.QueryEscape(`{"who":"Name"}`), "text/plain",
		strings.NewReader(file))
	if got.status != 200 {
		t.Fatalf("dry run = %d %s", got.status, got.text)
	}
	var v struct {
		Format   string
		Detected detected
		Rows     []json.RawMessage
	}
	if err := json.Unmarshal(got.body.Data, &v); err != nil {
		t.Fatal(err)
	}
	want := detected{Charset: "utf-8", Delimiter: pointer(";"), Quote: pointer(`"`), Header: pointer(2),
		Columns: []struct{ Name, To string }{{"Work mail", "email"}, {"Who", "name"}, {"Status", "status"}}}
	if diff := cmp.Diff(want, v.Detected); diff != "" || v.Format != "csv" || len(v.Rows) != 20 {
		t.Fatalf("%d rows of %s (-want +got):\n%s", len(v.Rows), v.Format, diff)
	}
	const ann = `{"row":1,"lead":{"email":"ann@example.com","name":"Ann Lee","phone":null,"source":"fair","status":"new",` +
		`"metadata":{"Work mail":"Ann","Column 4":"x","status":"Hot"}},"chatbotId":null,"warnings":[{"field":"row","message":"Has more cells than ` +
		`the 3 columns: what is in column 4 is in metadata, and cells before it may have shifted"},{"field":"status","message":` +
		`"Is none of new, contacted, qualified, unqualified, converted, lost: it is in metadata"}],"error":null}`
	const nobody = `{"row":2,"lead":null,"chatbotId":null,"warnings":[],"error":{"field":"Work mail","value":"nobody","message":` +
		`"Must be a valid email address"}}`
	if diff := cmp.Diff([]string{ann, nobody}, []string{string(v.Rows[0]), string(v.Rows[1])}); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	lines := b.upload(t, b.secret, "?dryRun=true", "application/x-ndjson", strings.NewReader(
		`{"email":"a@example.com","company":"Acme"}`))
	if lines.status != 200 || !strings.Contains(lines.text, `"metadata":{"company":"Acme"}`) ||
		!strings.Contains(lines.text, `"format":"ndjson"`) {
		t.Errorf("dry run of lines = %d %s", lines.status, lines.text)
	}
	b.upload(t, b.secret, "?dryRun=true", "text/csv", strings.NewReader("name\nAnn\n")).wantError(t, "no email", 400,
		"VALIDATION_ERROR")
	if n := b.imports(t); n != 0 {
		t.Errorf("%d imports were stored, want none", n)
	}
}

func TestExportsForExcelAndForPrograms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com","name":"=1,=2","phone":"+1 555 0100"}`))
	for query, want := range map[string]string{
		"?bom=true":               "\ufeffid,name,email,phone,|\"'=1,=2\",a@example.com,+1 555 0100,",
		"?plain=true":             "id,name,|\"=1,=2\",a@example.com",
		"?delimiter=%3B":          "id;name;|;'=1,'=2;a@example.com;",
		"?delimiter=%09&bom=true": "\ufeffid\tname\t|\t'=1,'=2\ta@example.com\t",
		"?format=csv&plain=false": "id,name,|\"'=1,=2\"",
	} {
		got := b.send(t, b.secret, "GET", "/api/v1/leads/export"+query, "")
		for part := range strings.SplitSeq(want, "|") {
			if got.status != 200 || !strings.Contains(got.text, part) {
				t.Errorf("%s = %d %q, want %q in it", query, got.status, got.text, part)
			}
		}
	}
	for _, query := range []string{"?delimiter=x", "?format=ndjson&bom=true", "?plain=1"} {
		b.send(t, b.secret, "GET", "/api/v1/leads/export"+query, "").wantError(t, query, 400, "VALIDATION_ERROR")
	}
}
