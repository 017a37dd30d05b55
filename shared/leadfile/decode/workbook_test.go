package decode_test

import (
	"errors"
	"strings"
	"testing"

	"leadgate/shared/fault"
	"leadgate/shared/leadfile/decode"
)

const (
	head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	main = ` xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
)

// parts are those of a workbook with a hidden sheet, one of people, and one of other things.
func parts(sheet string) []string {
	return []string{
		"[Content_Types].xml", head,
		"xl/workbook.xml", head + `<workbook` + main + ` xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
			`<sheets><sheet name="Old" sheetId="1" state="hidden" r:id="rId1"/><sheet name="People" sheetId="2" r:id="rId2"/>` +
			`<sheet name="Other &amp; more" sheetId="3" r:id="rId3"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/>` +
			`<Relationship Id="rId3" Target="worksheets/sheet3.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml", head + `<worksheet` + main + `><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>old</t></is></c></row></sheetData></worksheet>`,
		"xl/worksheets/sheet2.xml", head + `<worksheet` + main + `><sheetData>` + sheet + `</sheetData></worksheet>`,
		"xl/worksheets/sheet3.xml", head + `<worksheet` + main + `><sheetData><row><c t="inlineStr"><is><t>other</t></is></c></row></sheetData></worksheet>`,
		"xl/styles.xml", head + `<styleSheet` + main + `><numFmts count="2"><numFmt numFmtId="164" formatCode="dd\.mm\.yyyy"/>` +
			`<numFmt numFmtId="165" formatCode="0.00&quot; days&quot;"/></numFmts><cellXfs count="5"><xf numFmtId="0"/><xf numFmtId="14"/>` +
			`<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="22"/></cellXfs></styleSheet>`,
		"xl/sharedStrings.xml", head + `<sst` + main + `><si><t>Email</t></si><si><r><t>Na</t></r><r><rPr><b/></rPr><t>me</t></r>` +
			`<rPh sb="0" eb="1"><t>READ</t></rPh></si><si><t xml:space="preserve">ann@example.com</t></si><si><t>a_x000D_&#10;b, "c"</t></si></sst>`,
	}
}

func workbook(sheet string) string { return zipped(parts(sheet)...) }

const sheet = `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="inlineStr"><is><t>When</t></is></c></row>` +
	`<row r="3"><c r="A3" t="s"><v>2</v></c><c r="B3" t="s"><v>3</v></c><c r="C3"><v>15550100041</v></c><c r="D3" s="1"><v>46037</v></c>` +
	`<c r="E3" s="2"><v>46037.5</v></c><c r="F3" s="3"><v>2.5</v></c><c r="G3" t="b"><v>1</v></c><c r="H3" t="e"><v>#N/A</v></c>` +
	`<c r="I3"><v>1.5550100041E10</v></c><c r="J3" t="str"><f>A1</f><v>text</v></c><c r="K3" s="4"><v>0.25</v></c><c r="L3"><v>0.1</v></c><c r="M3"/></row>`

func TestWorkbooks(t *testing.T) {
	t.Parallel()
	text, f, err := read(workbook(sheet), decode.Options{})
	want := "Email,Name,,When\n\nann@example.com,\"a\r\nb, \"\"c\"\"\",15550100041,2026-01-15,2026-01-15T12:00:00,2.5,true,," +
		"15550100041,text,06:00:00,0.1\n"
	if err != nil || text != want || f != (decode.Found{Packed: "xlsx", Sheet: "People", Charset: "utf-8"}) {
		t.Errorf("= %q, %+v, %v, want %q", text, f, err, want)
	}
	for _, name := range []string{"people", " PEOPLE"} {
		if _, f, err := read(workbook(sheet), decode.Options{Sheet: name}); err != nil || f.Sheet != "People" {
			t.Errorf("sheet %q = %+v, %v, want People", name, f, err)
		}
	}
	if text, f, err := read(workbook(sheet), decode.Options{Sheet: "Other & more"}); err != nil || text != "other\n" ||
		f.Sheet != "Other & more" {
		t.Errorf("another sheet = %q, %+v, %v", text, f, err)
	}
	lotus := parts(`<row><c s="1"><v>0</v></c></row>`)
	lotus[3] = strings.Replace(lotus[3], "<sheets>", `<workbookPr date1904="1"/><sheets>`, 1)
	if text, _, err := read(zipped(lotus...), decode.Options{}); err != nil || text != "1904-01-01\n" {
		t.Errorf("the first day of a Mac's workbook = %q, %v", text, err)
	}
}

func TestWorkbooksAreRefused(t *testing.T) {
	t.Parallel()
	long := `<row><c t="inlineStr"><is><t>` + strings.Repeat("x", 3<<20) + `</t></is></c></row>`
	for name, c := range map[string]struct {
		file, sheet, want string
	}{
		"no such sheet":        {workbook(sheet), "Leads", "the workbook has Old, People, Other & more"},
		"a text that is not":   {workbook(`<row><c t="s"><v>4</v></c></row>`), "", "cannot be unpacked"},
		"a text before all":    {workbook(`<row><c t="s"><v>-1</v></c></row>`), "", "cannot be unpacked"},
		"a row that is cut":    {workbook(`<row><c t="s"><v>1`), "", "cannot be unpacked"},
		"a text of 3 MiB":      {workbook(long), "", "too long"},
		"no workbook in it":    {zipped("xl/workbook.xml", "<workbook/>"), "", "no sheet"},
		"what is no XML":       {zipped("xl/workbook.xml", "<<"), "", "cannot be unpacked"},
		"a bomb of one column": {workbook(strings.Repeat("<row/>", 10<<20)), "", "more than 100 to 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(c.file, decode.Options{Sheet: c.sheet})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Validation || !strings.Contains(f.Fields()[0].Message, c.want) {
				t.Errorf("= %v, want a VALIDATION_ERROR that says %q", err, c.want)
			}
		})
	}
}
