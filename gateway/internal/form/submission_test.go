package form_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

const (
	urlencoded = "application/x-www-form-urlencoded"
	jsonBody   = "application/json"
)

// parts writes fields, name and text in turn, as multipart/form-data.
func parts(fields ...string) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

func mustRead(t *testing.T, contentType, body string, f tenant.Form) *form.Submission {
	t.Helper()
	s, err := form.Read(contentType, []byte(body), f.WithDefaults())
	if err != nil {
		t.Fatalf("Read(%s) = %v", body, err)
	}
	return s
}

func mustLead(t *testing.T, contentType, body string, f tenant.Form, referer string) lead.Draft {
	t.Helper()
	d, err := mustRead(t, contentType, body, f).Lead(f.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), referer, false)
	if err != nil {
		t.Fatalf("Lead(%s) = %+v", body, fault.From(err).Fields())
	}
	return d
}

// However a form is sent, it makes the same lead.
func TestLead(t *testing.T) {
	t.Parallel()
	fields := []string{"First_Name", "Ada", "last-name", "Lovelace", "E-Mail", " Ada@Example.com ", "tel", "+1-555-0100",
		"mobile", "+1-555-0101", "company", "Engines & Co",
		"topic", "a", "topic", "b", "empty", " ", "_subject", "hidden", "_next", "/thanks", "_kx", "click", "message",
		"two\r\nlines"}
	want := lead.Draft{Name: "Ada Lovelace", Email: "Ada@Example.com", AddressKey: "ada@example.com", Phone: "+1-555-0100",
		Source: "form", Status: "new",
		Metadata: []byte(
			`{"mobile":"+1-555-0101","company":"Engines & Co","topic":["a","b"],"_kx":"click","message":"two\r\nlines"}`)}
	var pairs []string
	for i := 0; i < len(fields); i += 2 {
		pairs = append(pairs, url.QueryEscape(fields[i])+"="+url.QueryEscape(fields[i+1]))
	}
	multi, parted := parts(fields...)
	for contentType, body := range map[string]string{
		urlencoded: strings.Join(pairs, "&"), urlencoded + "; charset=UTF-8": "&" + strings.Join(pairs, "&&"),
		multi: string(parted),
		jsonBody: `{"First_Name":"Ada","last-name":"Lovelace","E-Mail":" Ada@Example.com ","tel":"+1-555-0100","mobile":"+1-555-0101","company":"Engines & Co","topic":["a","b"],` +
			`"empty":"","nothing":null,"_subject":1,"_next":"/thanks","_kx":"click","message":"two\r\nlines"}`,
	} {
		t.Run(contentType, func(t *testing.T) {
			s := mustRead(t, contentType, body, tenant.Form{})
			got, err := s.Lead(tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", false)
			got.NoStatus = false
			if err != nil {
				t.Fatalf("%s: %+v", contentType, fault.From(err).Fields())
			}
			if diff := cmp.Diff(want, got); diff != "" || s.Next != "/thanks" || s.Trap != "" {
				t.Errorf("%s: next %q, trap %q, lead (-want +got):\n%s", contentType, s.Next, s.Trap, diff)
			}
		})
	}
}

func TestLeadFromOddFields(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"email":"a@example.com","name":"Ada L","firstName":"Ada"}`:         `Ada L {"firstName":"Ada"}`,
		`{"email":"a@example.com","surname":" L "}`:                          `L {}`,
		`{"email":"a@example.com","email_address":"b@example.com"}`:          ` {"email_address":"b@example.com"}`,
		`{"email":"a@example.com","status":"won","source":"x","metadata":1}`: ` {"status":"won","source":"x","metadata":1}`,
		`{"email":"a@example.com","age":41,"news":true,"deep":{"a":[null]}}`: ` {"age":41,"news":true,"deep":{"a":[null]}}`,
	} {
		t.Run(body, func(t *testing.T) {
			if d := mustLead(t, jsonBody, body, tenant.Form{Source: "own"}, ""); d.Name+" "+string(d.Metadata) != want ||
				d.Source != "own" || d.Status != "new" {
				t.Errorf("%s: %q %s from %s, %s, want %s", body, d.Name, d.Metadata, d.Source, d.Status, want)
			}
		})
	}
}

func TestCampaign(t *testing.T) {
	t.Parallel()
	const page = "https://www.example.com/land%20ing?utm_source=ads&UTM_Medium=cpc&gclid=abc&session=secret&fbclid=&utm_campaign=" + "x\x00"
	in := url.Values{"email": {"a@example.com"}, "_page": {page},
		"_referrer": {"https://search.example.com/find?q=secret#top"}, "utm-source": {"mail"}}.Encode()
	want := `{"utm-source":"mail","utm_medium":"cpc","gclid":"abc","page_url":"https://www.example.com/land%20ing","referrer":"https://search.example.com/find"}`
	in = strings.ReplaceAll(in, "%00", "") // a URL with a control character is none
	got := string(mustLead(t, urlencoded, in, tenant.Form{}, "https://elsewhere.example.com/").Metadata)
	for _, part := range strings.Split(strings.Trim(want, "{}"), ",") {
		if !strings.Contains(got, part) {
			t.Errorf("metadata = %s, want %s in it", got, part)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "fbclid") || strings.Contains(got, "elsewhere") ||
		strings.Contains(got, "ads") {
		t.Errorf("metadata = %s, want %s", got, want)
	}
	for _, page := range []string{"javascript:alert(1)", "/relative", "",
		"https://user:secret@www.example.com/x?ttclid=1#secret"} {
		t.Run(page, func(t *testing.T) {
			in := url.Values{"email": {"a@example.com"}, "_page": {page}}.Encode()
			got := string(mustLead(t, urlencoded, in, tenant.Form{}, "https://www.example.com/x?ttclid=1").Metadata)
			if got != `{"ttclid":"1","page_url":"https://www.example.com/x"}` {
				t.Errorf("_page %q: metadata = %s, want it from the Referer, without secrets", page, got)
			}
		})
	}
}

// What the verdict gets to know of the honeypot and of the time.
func TestTrapAndElapsed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"_gotcha=": " -1", "_gotcha=x": "x -1", "_elapsed=1499": " 1499", "_elapsed=": " -1", "_elapsed=soon": " -1",
		"_elapsed=-1": " -1", "_elapsed=NaN": " -1", "_elapsed=1e99": " -1", "a=b": " -1",
	} {
		s := mustRead(t, urlencoded, body, tenant.Form{})
		if got := fmt.Sprint(s.Trap, " ", s.Elapsed); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	f := tenant.Form{Honeypot: "website"}
	for body, want := range map[string]string{`{"website":true}`: "true", `{"website":false}`: "", `{"website":null}`: "",
		`{"_gotcha":"x"}`: "", `{"website":"x"}`: "x"} {
		if s := mustRead(t, jsonBody, body, f); s.Trap != want {
			t.Errorf("%s: in the honeypot is %q, want %q", body, s.Trap, want)
		}
	}
}

// Every mistake is told, with the name that the form has for it.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ contentType, body, field string }{
		{urlencoded, "", "email"},
		{urlencoded, "email=x", "email"},
		{urlencoded, "your-email=x", "your-email"},
		{urlencoded, "email=%zz", "email"},
		{urlencoded, "email=a@example.com&email=b@example.com", "email"},
		{jsonBody, `"a"`, "body"}, {jsonBody, `{"email":"a@example.com"`, "body"}, {jsonBody, `{"email":"a@example.com"} 1`,
			"body"}, {jsonBody, "", "body"},
		{jsonBody, `{"email":5}`, "email"}, {jsonBody, "[]", "email"},
		{"multipart/form-data", "", "Content-Type"}, {"multipart/form-data; boundary=x", "--x\r\n", "body"},
	} {
		t.Run(fmt.Sprintf("%.30s %.60s", tc.contentType, tc.body), func(t *testing.T) {
			s, err := form.Read(tc.contentType, []byte(tc.body), tenant.Form{}.WithDefaults())
			if err == nil {
				_, err = s.Lead(tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", false)
			}
			if !fault.Is(err, fault.Validation) || fault.From(err).Fields()[0].Field != tc.field {
				t.Errorf("%s %.60s = %v, want a mistake about %s", tc.contentType, tc.body, err, tc.field)
			}
		})
	}
	for _, contentType := range []string{"application/octet-stream", "application/xml", ";"} {
		t.Run(contentType, func(t *testing.T) {
			if _, err := form.Read(contentType, []byte("email=a@example.com"), tenant.Form{}); !fault.Is(err, fault.MediaType) {
				t.Errorf("Content-Type %q = %v, want UNSUPPORTED_MEDIA_TYPE", contentType, err)
			}
		})
	}
	// An input for a file in which none was chosen comes as a part without a name of a file.
	empty := "--x\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@example.com\r\n--x--\r\n"
	if d := mustLead(t, "multipart/form-data; boundary=x", empty, tenant.Form{}, ""); string(d.Metadata) != "{}" {
		t.Errorf("metadata = %s, want none of a file that was not chosen", d.Metadata)
	}
}

func TestCaptchaToken(t *testing.T) {
	t.Parallel()
	f := tenant.Form{Captcha: tenant.HCaptcha, CaptchaSecret: "s"}
	_, err := mustRead(t, urlencoded, "email=x&cf-turnstile-response=other", f).Lead(f.WithDefaults(),
		tenant.Settings{}.WithDefaults().Rules(), "", false)
	if got := fault.From(err).Fields(); len(got) != 2 || got[0].Field != "email" || got[1].Field != "h-captcha-response" {
		t.Errorf("mistakes = %+v, want email and h-captcha-response", got)
	}
	s := mustRead(t, urlencoded, "email=a@example.com&h-captcha-response=t&g-recaptcha-response=t&captcha=fake", f)
	d, err := s.Lead(f.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", true)
	if err != nil || string(d.Metadata) != `{"captcha":"unverified"}` || s.Token != "t" {
		t.Errorf("Lead() = %s, %v, token %q, want only the mark", d.Metadata, err, s.Token)
	}
	// What marks a lead cannot be forged from inside an object.
	s = mustRead(t, jsonBody, `{"h-captcha-response":"t","data":{"email":"a@example.com","captcha":"solved","_warnings":1,`+
		`"\u200bcaptcha":"solved"}}`, f)
	d, err = s.Lead(f.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", true)
	if err != nil || !strings.Contains(string(d.Metadata), `"captcha":"unverified"`) ||
		strings.Contains(string(d.Metadata), `"captcha":"solved"`) || strings.Contains(string(d.Metadata), `"_warnings":1`) {
		t.Errorf("Lead() = %s, %v, want the mark and none that was sent", d.Metadata, err)
	}
}
