package api_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/leadfile/decode"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// shownImport is an import as a client reads it.
type shownImport struct {
	ID, State, Format                            string
	Bytes, Position                              int64
	Progress                                     float64
	Rows, Created, Updated, Duplicates, Rejected int
	Warnings                                     int
	Reason, FinishedAt                           *string
	Detected                                     *detected
}

// upload sends a file as whoever has secret.
func (b *bundle) upload(t *testing.T, secret, query, contentType string, file io.Reader) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/imports"+query, file)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return b.do(t, req)
}

func mustImport(t *testing.T, got answer, status int) (i shownImport, u id.UUID) {
	t.Helper()
	if err := json.Unmarshal(got.body.Data, &i); err != nil || got.status != status {
		t.Fatalf("answer = %d %s, want %d and an import", got.status, got.text, status)
	}
	u, err := id.Import.Parse(i.ID)
	if err != nil {
		t.Fatal(err)
	}
	return i, u
}

func (b *bundle) imports(t *testing.T) (n int) {
	t.Helper()
	if err := b.db.GetContext(t.Context(), &n, `select count(*) from imports`); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestImportFromBeginningToEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := "E-Mail;Who\n" + strings.Repeat("ann@example.com;Ann Lee of Example\n", 80_000) // more than two pieces
	got := b.upload(t, b.secret, "?source=fair&onDuplicate=update&events=false&chatbotId="+id.Chatbot.Format(b.chatbot)+
		"&mapping="+url.QueryEscape(`{"Who":"name"}`), "text/csv; charset=utf-8", strings.NewReader(file))
	made, u := mustImport(t, got, 202)
	path := "/api/v1/imports/" + made.ID
	if l := got.header.Get("Location"); l != path || made.State != "waiting" || made.Bytes != int64(len(file)) ||
		made.Progress != 0 || made.Format != "csv" || made.FinishedAt != nil || made.Reason != nil {
		t.Errorf("POST = %s at %q, want all of the file waiting", got.text, l)
	}
	if n := b.queued(t, "import"); n != 1 {
		t.Errorf("tasks for the import = %d, want one", n)
	}
	i, _, _, err := b.db.BeginImport(t.Context(), b.workspace, u)
	if err != nil {
		t.Fatal(err)
	}
	want := leadfile.Options{Columns: []leadfile.Column{{Name: "E-Mail", To: "email"}, {Name: "Who", To: "name", Rank: -10}},
		Delimiter: ";", Header: 1, Found: &decode.Found{Charset: "utf-8"}, ChatbotID: id.Chatbot.Format(b.chatbot), Source: "fair", OnDuplicate: "update", Quiet: true}
	if diff := cmp.Diff(want, i.Options); diff != "" || i.Position != 11 {
		t.Errorf("stored options at %d (-want +got):\n%s", i.Position, diff)
	}
	if stored, err := io.ReadAll(b.db.OpenImport(t.Context(), &i)); err != nil || string(stored) != file[11:] {
		t.Errorf("stored %d bytes, %v, want the file behind its header", len(stored), err)
	}
	half := &pg.ImportBatch{Workspace: b.workspace, Import: u, From: 11, To: i.Bytes / 2, Mistakes: []leadfile.Mistake{
		{Row: 1, Code: "VALIDATION_ERROR", Field: "E-Mail", Value: "=cmd()", Message: "Must be a valid email address"},
		{Row: 2, Code: "VALIDATION_ERROR", Field: "a,b", Value: "+1\n\"x\"", Message: "No"},
	}}
	if _, err := b.db.ImportRows(t.Context(), half); err != nil {
		t.Fatal(err)
	}
	if r, _ := mustImport(t, b.send(t, b.secret, "GET", path, ""), 200); r.State != "running" || r.Progress != 0.5 &&
		r.Progress != 0.499 || r.Rows != 2 || r.Rejected != 2 {
		t.Errorf("GET = %+v, want half of it done", r)
	}
	report := b.send(t, b.secret, "GET", path+"/errors", "")
	rows, err := csv.NewReader(strings.NewReader(report.text)).ReadAll()
	wantRows := [][]string{{"row", "code", "field", "value", "message"}, {"1", "VALIDATION_ERROR", "E-Mail", "'=cmd()",
		"Must be a valid email address"}, {"2", "VALIDATION_ERROR", "a,b", "+1\n\"x\"", "No"}}
	if diff := cmp.Diff(wantRows, rows); err != nil || diff != "" ||
		report.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.Contains(report.header.Get("Content-Disposition"), made.ID) {
		t.Errorf("report = %v %v (-want +got):\n%s", report.header, err, diff)
	}
	cancelled, _ := mustImport(t, b.send(t, b.secret, "POST", path+"/cancel", ""), 200)
	if cancelled.State != "cancelled" || cancelled.FinishedAt == nil {
		t.Errorf("cancel = %+v, want it cancelled", cancelled)
	}
	second, v := mustImport(t, b.upload(t, b.secret, "", "application/x-ndjson",
		strings.NewReader(`{"email":"a@example.com"}`)), 202)
	if _, err := b.db.ExecContext(t.Context(),
		`update imports set state = 'failed', reason = 'no', finished_at = now() where id = $1`, v); err != nil {
		t.Fatal(err)
	}
	b.send(t, b.secret, "POST", "/api/v1/imports/"+second.ID+"/cancel", "").wantError(t, "cancelling what failed", 409,
		"CONFLICT")
	page := b.send(t, b.secret, "GET", "/api/v1/imports?limit=1", "")
	if !strings.Contains(page.text, second.ID) || page.body.NextCursor == nil || *page.body.NextCursor != second.ID {
		t.Errorf("list = %s, want the newest and a cursor", page.text)
	}
	if rest := b.send(t, b.secret, "GET", "/api/v1/imports?limit=1&cursor="+second.ID, ""); !strings.Contains(rest.text,
		made.ID) || rest.body.NextCursor != nil {
		t.Errorf("next page = %s, want the older one and no more", rest.text)
	}
	other := b.mustWorkspace(t, tenant.Settings{})
	for _, route := range []string{"GET " + path, "GET " + path + "/errors", "POST " + path + "/cancel"} {
		method, at, _ := strings.Cut(route, " ")
		b.send(t, other.secret, method, at, "").wantError(t, "another workspace's "+route, 404, "NOT_FOUND")
	}
	if got := b.send(t, other.secret, "GET", "/api/v1/imports", ""); string(got.body.Data) != "[]" {
		t.Errorf("another workspace lists %s, want none", got.text)
	}
}

// What the head of a request or the header of a file tells to be wrong is told at once, and nothing is stored.
func TestImportMistakes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const csvType, lines = "text/csv", "application/x-ndjson"
	for _, c := range []struct {
		name, query, contentType, file string
		status                         int
		code, want                     string
	}{
		{"a picture", "", "image/png", "email\n", 415, "UNSUPPORTED_MEDIA_TYPE", "text/csv, application/x-ndjson"},
		{"an array as JSON", "", "application/json", `[{"email":"a@example.com"}]`, 400, "VALIDATION_ERROR", "it is one JSON array"},
		{"a batch as JSON", "", "application/json", `{"leads":[{"email":"a@example.com"}]}`, 400, "VALIDATION_ERROR",
			"jq -c '.leads[]' makes lines of it"},
		{"JSON for people to read", "", lines, "{\n  \"email\": \"a@example.com\"\n}\n", 400, "VALIDATION_ERROR",
			"its objects have several lines"},
		{"every parameter", "?format=xls&mapping=[]&chatbotId=x&source=&onDuplicate=merge&events=no", csvType, "email\n", 400,
			"VALIDATION_ERROR", `"format"|"chatbotId"|"source"|"onDuplicate"|"events"|"mapping"`},
		{"a mapping of lines", "?mapping={}", lines, `{"email":"a@example.com"}`, 400, "VALIDATION_ERROR",
			"only a CSV file has columns"},
		{"a mapping twice", "?mapping=" + url.QueryEscape(`{"a":null,"a":"name"}`), csvType, "email,a\n", 400,
			"VALIDATION_ERROR", "Must be a JSON object of column names"},
		{"how it is written", "?charset=x&delimiter=ab&quote=ab&header=0&dryRun=1", csvType, "email\n", 400, "VALIDATION_ERROR",
			`"charset"|"delimiter"|"quote"|"header"|"dryRun"`},
		{"the quote as delimiter", "?delimiter=%22", csvType, "email\n", 400, "VALIDATION_ERROR", `"delimiter"|not the quote`},
		{"unknown parameter", "?separator=x", csvType, "email\n", 400, "VALIDATION_ERROR", "Unknown parameter"},
		{"unknown chatbot", "?chatbotId=" + id.Chatbot.Format(id.New()), csvType, "email\n", 404, "CHATBOT_NOT_FOUND", ""},
		{"no email", "", csvType, "name,phone\nAnn,1\n", 400, "VALIDATION_ERROR", "row 1 was read as the header, and has name, phone"},
		{"unknown column", "?mapping=" + url.QueryEscape(`{"Work":"email"}`), csvType, "email\n", 400, "VALIDATION_ERROR",
			"the file has email"},
		{"nothing", "", csvType, "", 400, "VALIDATION_ERROR", "it is empty"},
		{"no lines", "?format=ndjson", lines, "\n\n", 400, "VALIDATION_ERROR", "it is empty"},
		{"an array", "?format=ndjson", lines, `x{"email":"a@example.com"}`, 400, "VALIDATION_ERROR", "begins with something else"},
		{"an old workbook", "", csvType, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 400, "VALIDATION_ERROR", ".xlsx"},
		{"half an archive", "", csvType, "PK\x03\x04aaaa", 400, "VALIDATION_ERROR", "cannot be unpacked"},
		{"no charset that can be told", "", csvType, "email\n\x81\x8d\x8f\n\x90\x9d\x81\n", 400, "VALIDATION_ERROR",
			"charset=windows-1253"},
		{"a form without a file", "", "multipart/form-data; boundary=B",
			"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--B--\r\n", 400, "VALIDATION_ERROR", "Must have a file"},
		{"half a form", "", "multipart/form-data; boundary=B",
			"--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nemail\n", 400, "VALIDATION_ERROR", "broke off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.upload(t, b.secret, c.query, c.contentType, strings.NewReader(c.file))
			got.wantError(t, c.name, c.status, c.code)
			for part := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(got.text, part) {
					t.Errorf("%s = %s, want %q in it", c.name, got.text, part)
				}
			}
		})
	}
	gzip, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/imports", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	gzip.Header = http.Header{"Authorization": {"Bearer " + b.secret}, "Content-Type": {csvType},
		"Content-Encoding": {"br"}}
	b.do(t, gzip).wantError(t, "a compressed file", 415, "UNSUPPORTED_MEDIA_TYPE")
	large := b.raw(t, strings.Replace(b.head("POST", "/api/v1/imports", 1<<30+1), "application/json", csvType, 1), false)
	large.wantError(t, "a file of more than 1 GiB", 413, "PAYLOAD_TOO_LARGE")
	if n := b.imports(t); n != 0 {
		t.Errorf("%d imports were stored, want none", n)
	}
}

// A key that would not be kept is refused, and nothing is stored.
func TestImportTakesNoIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"abc", ""} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/imports",
			strings.NewReader("email\na@example.com\n"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + b.secret}, "Content-Type": {"text/csv"},
			"Idempotency-Key": {key}}
		got := b.do(t, req)
		got.wantError(t, "with a key", 400, "VALIDATION_ERROR")
		if !strings.Contains(got.text, "Idempotency-Key") || !strings.Contains(got.text, "GET /api/v1/imports") {
			t.Errorf("with a key = %s, want to be told what to do instead", got.text)
		}
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/imports", ""); !strings.Contains(got.text, `"data":[]`) {
		t.Errorf("imports = %s, want none", got.text)
	}
}

// A file that takes longer than any other request may is taken in, as long as it goes on.
func TestASlowUpload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file, send := io.Pipe()
	go func() {
		fmt.Fprint(send, "email\n")
		<-time.After(slowest + 500*time.Millisecond)
		fmt.Fprint(send, "a@example.com\n")
		send.Close()
	}()
	if made, _ := mustImport(t, b.upload(t, b.secret, "", "text/csv", file), 202); made.Bytes != 20 {
		t.Errorf("import = %+v, want 20 bytes", made)
	}
}

// An upload that breaks off leaves a failed import and nothing of its file; one before the header is complete leaves
// nothing.
func TestABrokenUpload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	head := strings.Replace(b.head("POST", "/api/v1/imports", 3<<20), "application/json", "text/csv", 1)
	b.raw(t, head+"email\n", true).wantError(t, "a file cut short at once", 400, "VALIDATION_ERROR")
	if n := b.imports(t); n != 0 {
		t.Errorf("%d imports were stored, want none", n)
	}
	b.raw(t, head+"email\n"+strings.Repeat("a@example.com\n", 100_000), true).wantError(t, "a file cut short", 400,
		"VALIDATION_ERROR")
	got := b.send(t, b.secret, "GET", "/api/v1/imports", "")
	if !strings.Contains(got.text, `"state":"failed"`) || !strings.Contains(got.text, `"reason":"The upload broke off"`) {
		t.Errorf("imports = %s, want one that failed", got.text)
	}
	var pieces int
	if err := b.db.GetContext(t.Context(), &pieces, `select count(*) from import_chunks`); err != nil || pieces != 0 {
		t.Errorf("%d pieces are left, %v, want none", pieces, err)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range pg.MaxImports {
		mustImport(t, b.upload(t, b.secret, "", "text/csv", strings.NewReader("email\n")), 202)
	}
	b.upload(t, b.secret, "", "text/csv", strings.NewReader("email\n")).wantError(t, "one more unfinished import", 409,
		"CONFLICT")
	other := b.mustWorkspace(t, tenant.Settings{})
	hold := func() {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c,
			"POST /api/v1/imports HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer %s\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\nemail", other.secret)
		// its file is waited for
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("an upload = %q, %v", line, err)
		}
	}
	hold()
	hold()
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := b.upload(t, other.secret, "", "text/csv", strings.NewReader("email\n"))
		if got.status == http.StatusTooManyRequests {
			got.wantError(t, "a third upload", 429, "RATE_LIMITED")
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a third upload = %d %s, want 429 while two are under way", got.status, got.text)
		}
		b.db.MustExecContext(t.Context(), `delete from imports`)
	}
}
