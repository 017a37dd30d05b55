package form_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// FuzzForm: whatever is sent, there is a lead that POST would have made too, or a mistake below 500 and a page that
// tells it.
func FuzzForm(f *testing.F) {
	multi, body := parts("email", "a@example.com", "name", "Ada", "topic", "x")
	for _, seed := range [][2]string{
		{urlencoded,
			"email=a%40example.com&first_name=Ada&_page=https://www.example.com/?utm_source=x&_next=/y&_elapsed=5&_gotcha="},
		{jsonBody,
			`{"email":"a@example.com","a":[1,{"b":"\ud83d\ude00"}],"_page":"https://www.example.com/?gclid=1","first_name":{},"__proto__":1}`},
		{multi, string(body)}, {"multipart/form-data; boundary=x",
			"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nc\r\n--x--"},
		{"multipart/form-data; boundary=x",
			"--x\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Disposition: form-data; name=a\r\n\r\n=FF=00\r\n--x--"},
		{urlencoded, "a=%FF&%00=%00&email=\xff"}, {"text/plain;;", "x"},
		{"text/plain", "a=b\nc\n=d\r\nemail=a@example.com\n"}, {jsonBody, "{\"a\":\"\n\\\"\",}"},
		{jsonBody, `{'email':'a@example.com',x:"a "b" c\d",n:NaN,/* c */,"y":,"z":1 "w":http://x // y`},
		{"", "--x\r\nContent-Disposition: form-data; name=email\r\n\r\na@example.com\r\n--x--"},
	} {
		f.Add(seed[0], []byte(seed[1]), "https://www.example.com/page")
	}
	for _, s := range append(builderShapes(), serviceShapes()...) {
		f.Add(s.contentType, []byte(s.body), "")
	}
	f.Add("text/plain; charset=shift_jis", []byte("{\"mail\":\"\\u0061@example.com\",\"x\":\"[{\\\"a\\\":1}]\"}"), "x")
	f.Fuzz(func(t *testing.T, contentType string, body []byte, referer string) {
		if len(body) > form.MaxBody {
			return
		}
		settings := tenant.Form{Captcha: tenant.Turnstile, CaptchaSecret: "s", MinFillMS: 10, Preset: "typeform",
			Fields: map[string][]string{"email": {"a[type=email].email", "a[0]", "x"}, "metadata.b": {"b.c", "note"}},
			Ignore: []string{"ignore", "a.b*"}}.WithDefaults()
		if _, err := form.Show(contentType, body, settings, tenant.Settings{}.WithDefaults().Rules()); err != nil &&
			fault.From(err).Kind.Status() >= 500 {
			t.Fatalf("Show() = %v", err)
		}
		origins, h := form.Origins{"https://www.example.com"}, http.Header{"Referer": {referer}}
		s, err := form.Read(contentType, body, settings)
		if err == nil {
			next, wrong := origins.Next(s, settings, h)
			if (next == "") != (wrong != nil || s.Next == "") {
				t.Fatalf("Next(%q) = %q, %v", s.Next, next, wrong)
			}
			if next != "" && !strings.HasPrefix(strings.ToLower(next), "https://www.example.com") {
				t.Fatalf("Next() = %q, want it on the site", next)
			}
			var d lead.Draft
			s.Token = "t"
			if d, err = s.Lead(settings, tenant.Settings{}.WithDefaults().Rules(), referer, true); err == nil {
				checkDraft(t, d)
			}
			form.WriteThanksFrom(httptest.NewRecorder(), settings, origins.Back(s, h))
			if entries := s.Entries(); !utf8.ValidString(entries) || len(entries) > 17<<10 {
				t.Fatalf("Entries() = %d bytes %q", len(entries), entries)
			}
		}
		if err == nil {
			return
		}
		e, w := fault.From(err), httptest.NewRecorder()
		form.WriteFailure(w, settings, e, "")
		if e.Kind.Status() >= 500 || w.Code != e.Kind.Status() || !strings.Contains(w.Body.String(), "</html>") {
			t.Fatalf("%v: status %d, page %s", err, w.Code, w.Body)
		}
		if _, err := json.Marshal(e.Details); err != nil || w.Body.Len() > 64<<10 {
			t.Fatalf("details of %v: %v, page of %d bytes", e, err, w.Body.Len())
		}
	})
}

func checkDraft(t *testing.T, d lead.Draft) {
	t.Helper()
	if !json.Valid(d.Metadata) || !utf8.Valid(d.Metadata) || len(d.Metadata) > lead.MaxMetadata || d.Email == "" ||
		!utf8.ValidString(d.Name) {
		t.Fatalf("lead = %+v", d)
	}
	again, err := json.Marshal(map[string]any{"email": d.Email, "name": d.Name, "phone": d.Phone, "source": d.Source,
		"metadata": json.RawMessage(d.Metadata)})
	if err != nil {
		t.Fatal(err)
	}
	if posted, err := lead.Parse(again, tenant.Settings{}.WithDefaults().Rules()); err != nil || posted.Email != d.Email ||
		posted.Name != d.Name {
		t.Fatalf("POST of %s = %+v, %v, want the form's lead %+v", again, posted, err, d)
	}
}
