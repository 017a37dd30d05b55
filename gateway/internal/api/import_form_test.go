package api_test

import (
	"fmt"
	"strings"
	"testing"

	"leadgate/shared/id"
)

const formType = "multipart/form-data; boundary=B"

// Fields of a form count as the query parameters of their names do.
func TestImportFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const text = "email,who\nann@example.com,Ann\n"
	got := b.upload(t, b.secret, "?source=fair&format=csv", formType, strings.NewReader(formOf(`name="dryRun"`, "true",
		`name="source"`, "fair", `name="mapping"`, `{"who":"name"}`, `name="file"; filename="l.csv"`, text)))
	if got.status != 200 || !strings.Contains(got.text, `"name":"Ann"`) || !strings.Contains(got.text, `"source":"fair"`) ||
		b.imports(t) != 0 {
		t.Fatalf("dry run = %d %s, %d imports, want a preview of Ann of the fair, and none", got.status, got.text, b.imports(t))
	}
	mustImport(t, b.upload(t, b.secret, "", formType, strings.NewReader(formOf(`name="onDuplicate"`, "update",
		`name="events"`, "false", `name="file"`, text))), 202)
	var options string
	if err := b.db.GetContext(t.Context(), &options, `select options from imports`); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(options, `"onDuplicate":"update"`) || !strings.Contains(options, `"quiet":true`) {
		t.Errorf("import has options %s, want onDuplicate and events of the form", options)
	}
}

// A field that cannot be heeded is named, and nothing is stored.
func TestImportFieldsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := []string{`name="file"`, "email\na@example.com\n"}
	many := file
	for i := range 33 {
		many = append([]string{fmt.Sprintf(`name="f%d"`, i), ""}, many...)
	}
	for _, c := range []struct {
		name, query string
		fields      []string
		want        string // field, message
	}{
		{"unknown", "", append([]string{`name="dry_run"`, "true"}, file...), "dry_run|Unknown parameter: must be one of format"},
		{"wrong", "", append([]string{`name="dryRun"`, "yes"}, file...), "dryRun|Must be true or false"},
		{"twice", "", append([]string{`name="source"`, "a", `name="source"`, "b"}, file...), "source|Must be given only once"},
		{"another in the query", "?source=a", append([]string{`name="source"`, "b"}, file...),
			"source|Must be the same in the form and in the query, which has a"},
		{"after the file", "", append(file, `name="dryRun"`, "true"), "dryRun|Must come before the file"},
		{"unknown, after the file", "", append(file, `name="submit"`, "Go"), "submit|Unknown parameter"},
		{"after the file of a dry run", "?dryRun=true", []string{`name="file"`, longList, `name="source"`, "x"},
			"source|Must come before the file"},
		{"too large", "", append([]string{`name="mapping"`, strings.Repeat("x", 65<<10)}, file...),
			"mapping|Must be at most 65536 bytes"},
		{"too many", "", many, "body|Must have at most 32 fields before the file"},
		{"no name", "", append([]string{`name=""`, "x"}, file...), "unnamed|Unknown parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.upload(t, b.secret, c.query, formType, strings.NewReader(formOf(c.fields...)))
			got.wantError(t, c.name, 400, "VALIDATION_ERROR")
			field, message, _ := strings.Cut(c.want, "|")
			if !strings.Contains(got.text, `"field":"`+field+`"`) || !strings.Contains(got.text, `"message":"`+message) {
				t.Errorf("%s = %s, want %s: %s", c.name, got.text, field, message)
			}
		})
	}
	b.upload(t, b.secret, "", formType, strings.NewReader(formOf(append([]string{`name="chatbotId"`,
		id.Chatbot.Format(id.New())}, file...)...))).wantError(t, "unknown chatbot", 404, "CHATBOT_NOT_FOUND")
	if n := b.imports(t); n != 0 {
		t.Errorf("%d imports were stored, want none", n)
	}
}

// longList is more than one piece of an upload.
var longList = "email\n" + strings.Repeat("a@example.com\n", 100_000)

// A field after a file that was stored as it came fails the import, which says why.
func TestImportFieldAfterALongFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upload(t, b.secret, "", formType, strings.NewReader(formOf(`name="file"`, longList, `name="dryRun"`, "true"))).
		wantError(t, "dryRun after the file", 400, "VALIDATION_ERROR")
	page := b.send(t, b.secret, "GET", "/api/v1/imports", "")
	if !strings.Contains(page.text, `"state":"failed"`) || !strings.Contains(page.text, `"reason":"dryRun: Must come before the file`) {
		t.Errorf("imports = %s, want one that failed, for dryRun came after its file", page.text)
	}
}
