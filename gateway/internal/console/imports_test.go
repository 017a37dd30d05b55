package console_test

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

const file = "Mail;Full name;Tel\nada@example.com;Ada Byron;+1-555-0100\nnobody;No Address;\n"

// upload is a multipart form, with its fields before its file.
func upload(t *testing.T, text string, fields ...string) (body, media string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "leads.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestImport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	send := func(path, text string, fields ...string) answer {
		body, media := upload(t, text, fields...)
		return v.do(t, "POST", path, strings.NewReader(body), "Content-Type", media, "Sec-Fetch-Site", "same-origin")
	}
	shown := send("/console/imports?do=preview", file)
	for _, want := range []string{"ada@example.com", "Full name", "not taken"} {
		if !strings.Contains(shown.text, want) {
			t.Errorf("the preview lacks %q: %d %s", want, shown.status, shown.text)
		}
	}
	var none []any
	if b.call(t, "GET", "/imports", "", &none); len(none) != 0 {
		t.Errorf("a preview has stored %v", none)
	}
	made := send("/console/imports", file, "source", "fair", "column", "Tel", "to", "", "column", "Mail", "to", "auto")
	if made.status != 200 || !strings.HasPrefix(made.path, "/console/imports/imp_") {
		t.Fatalf("import = %d at %s: %s", made.status, made.path, made.text)
	}
	if !strings.Contains(made.text, "left out") {
		t.Errorf("the page does not show where columns go: %s", made.text)
	}
	if got := send("/console/imports", ""); got.status != 400 || !strings.Contains(got.text, "id=\"file\"") {
		t.Errorf("an empty file = %d, want the form again, with what is wrong", got.status)
	}
	other := b.mustSignIn(t, b.mustWorkspace(t).secret)
	if got := other.get(t, made.path); got.status != 404 {
		t.Errorf("another workspace sees the import: %d", got.status)
	}
	if got := v.post(t, made.path+"/cancel", url.Values{}); !strings.Contains(got.text, "stopped") {
		t.Errorf("cancel = %d %s", got.status, got.text)
	}
}
