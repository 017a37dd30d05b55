package form_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

func mustEncode(t *testing.T, text string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// However the body is called and encoded, the person is read; what had to be guessed is told.
func TestTransport(t *testing.T) {
	t.Parallel()
	sjis, err := japanese.ShiftJIS.NewEncoder().String("山田")
	sjis = mustEncode(t, sjis, err)
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("王芳")
	gbk = mustEncode(t, gbk, err)
	cyrillic, err := charmap.Windows1251.NewEncoder().String("Анна")
	cyrillic = mustEncode(t, cyrillic, err)
	const object = `{"email":"kim@example.com","name":"José"}`
	multi, parted := parts("email", "kim@example.com", "name", "Jos\xe9", "_charset_", "iso-8859-1")
	file := "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nkim@example.com\r\n--x\r\n" +
		"Content-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--x--\r\n"
	for _, tc := range []struct{ contentType, body, name, metadata, warned string }{
		{"text/plain;charset=UTF-8", object, "José", `{}`, ""},
		{"", object, "José", `{}`, ""},
		{urlencoded, object, "José", `{}`, ""},
		{"application/vnd.api+json", object, "José", `{}`, ""},
		{"application/json; charset=utf8", object, "José", `{}`, ""},
		{"application/json; charset=us-ascii", object, "José", `{}`, ""},
		{"Application/JSON; charset=\"UTF-8\"; odata=verbose", "\ufeff" + object, "José", `{}`, ""},
		{"application/json; charset=latin1", strings.ReplaceAll(object, "é", "\xe9"), "José", `{}`, ""},
		{"application/json; charset=iso-8859-1", object, "José", `{}`, ""},
		{"application/json", strings.ReplaceAll(object, "é", "\xe9"), "José", ``, "body"},
		{"application/json", `"{\"email\":\"kim@example.com\",\"name\":\"José\"}"`, "José", `{}`, ""},
		{urlencoded + "; charset=ISO-8859-1", "email=kim%40example.com&name=Jos%E9", "José", `{}`, ""},
		{urlencoded + "; charset=no-such", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded, "email=kim%40example.com&name=Jos%E9", "José", ``, "body"},
		{urlencoded, "email=kim%40example.com&name=Jos%E9&_charset_=windows-1252", "José", `{}`, ""},
		{urlencoded, "email=kim%40example.com&_charset_=shift_jis&name=" + sjis, "山田", `{}`, ""},
		{urlencoded, "_charset_=gb2312&email=kim%40example.com&name=" + gbk, "王芳", `{}`, ""},
		{urlencoded, "email=kim%40example.com&_charset_=windows-1251&name=" + cyrillic, "Анна", `{}`, ""},
		{urlencoded, "email=kim%40example.com&name=Jos%C3%A9&note=100%&x=%zz\r\n", "José", `{"note":"100%","x":"%zz"}`, ""},
		{urlencoded + ";", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{multi, string(parted), "José", `{}`, ""},
		{"multipart/form-data; charset=utf-8; boundary=x", file, "", ``, "cv"},
		{"text/plain", "email=kim@example.com\r\nname=José\r\nnote=one\r\ntwo & three\r\n", "José", `{"note":"one\ntwo & three"}`, ""},
		{"text/plain;charset=UTF-8", "email=kim@example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{"", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded, "name=Jos%C3%A9&amp;email=kim%40example.com&amp;note=a", "José", `{"note":"a"}`, ""},
		{urlencoded, "%7B%22email%22%3A%22kim%40example.com%22%2C%22name%22%3A%22Jos%C3%A9%22%7D=", "José", `{}`, ""},
		{urlencoded, "_replyto=kim%40example.com&name=Jos%C3%A9&_subject=Hi", "José", `{}`, ""},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"data\"; filename=\"blob\"\r\n" +
			"Content-Type: application/json\r\n\r\n" + object + "\r\n--x--\r\n", "José", `{}`, ""},
		{urlencoded + "; charset=utf-8; charset=utf-8", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded + "; charset=utf-8; charset=latin1", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded + "; charset=", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded + "; charset='utf-8'", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded + "; charset=\"utf-8", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded + ", " + urlencoded, "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{"multipart/form-data", object, "José", `{}`, ""},
		{urlencoded, "_charset_=utf-16&email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded + "; charset=utf-16le", "email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded, "_charset_=iso-2022-jp&email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{urlencoded, "_charset_=iso-2022-jp&email=kim%40example.com&name=%1B%24B%3B3ED%1B%28B", "山田", `{}`, ""},
		{urlencoded, "_charset_=iso-2022-kr&email=kim%40example.com&name=Jos%C3%A9", "José", `{}`, ""},
		{"text/plain", "\r\nemail=kim@example.com\r\nname=José\r\n", "José", `{}`, ""},
		{jsonBody, "{\"email\":\"kim@example.com\",\"name\":\"José\",\"note\":\"a,]\n\tb\",}", "José", ``, "body"},
		{jsonBody, `[{"email":"kim@example.com","name":"José"},{"email":"Kim@Example.com"}]`, "José", ``, "body"},
	} {
		t.Run(tc.contentType+" "+tc.body[:min(30, len(tc.body))], func(t *testing.T) {
			p, err := form.Show(tc.contentType, []byte(tc.body), tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules())
			if err != nil || !p.Accepted {
				t.Fatalf("%s %q = %+v, %v, want a lead", tc.contentType, tc.body, p, err)
			}
			name, warned := "", ""
			if p.Lead.Name != nil {
				name = *p.Lead.Name
			}
			for _, w := range p.Warnings {
				warned += w.Field
			}
			if *p.Lead.Email != "kim@example.com" || name != tc.name || warned != tc.warned ||
				tc.metadata != "" && string(p.Lead.Metadata) != tc.metadata {
				t.Errorf("%s %q = %s %q, metadata %s, warned of %q; want %q, %s, %q", tc.contentType, tc.body, *p.Lead.Email, name,
					p.Lead.Metadata, warned, tc.name, tc.metadata, tc.warned)
			}
			if warned != "" && !strings.Contains(string(p.Lead.Metadata), `"_warnings":[{"field":"`+warned) {
				t.Errorf("metadata = %s, want the warning in it", p.Lead.Metadata)
			}
		})
	}
}

// The email decides: what else is odd is mended, or kept and told.
func TestOddValuesKeepThePerson(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	for _, tc := range []struct{ contentType, body, want string }{
		{urlencoded, "email=a@example.com&name=" + long, long[:200] + "||name"},
		{urlencoded, "email=a@example.com&phone=%2B1+555+0150+or+in+the+evening+%2B1+555+0151+please", "|+1 555 0150|phone"},
		{urlencoded, "email=a@example.com&name=Ann%0D%0ABaker%00", "Ann Baker||"},
		{urlencoded, "email=&email=a@example.com", "||"},
		{urlencoded, "email=a@example.com&phone=yes&sms=no", "|yes|"},
		{jsonBody, `{"email":"a@example.com","phone":{"countryCode":"US","number":"+15550150","formatted":"x"}}`, "|+15550150|phone"},
		{urlencoded, "email=a@example.com&email=A@Example.com", "||"},
		{urlencoded, "email=a@example.com&name=Eve&name=Eve+Fox", "Eve||"},
		{urlencoded, "email=a@example.com&email2=not", "||email2"},
		{jsonBody, `{"email":["a@example.com"],"name":{"first":"Ann","last":"Baker"},"phone":15550150}`, "Ann Baker|15550150|"},
		{jsonBody, `{"email":"a@example.com","name":true,"phone":{}}`, "||"},
		{jsonBody, `{"email":"a@example.com","deep":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`, "||deep"},
		{jsonBody, `{"email":"a@example.com","n":1e99999}`, "||n"},
		{jsonBody, `{"email":"a@example.com","n":"\ud800","m":{"a":"\ud800"}}`, "||m"},
		{jsonBody, `{"email":"a@example.com","a":1,"a":2}`, "||"},
		{jsonBody, `{"email":"a@example.com","long":"` + strings.Repeat("x", 33<<10) + `"}`, "||long"},
		{urlencoded, "email=a@example.com&password=hunter2&csrfmiddlewaretoken=x", "||passwordcsrfmiddlewaretoken"},
		{jsonBody, `{"user":{"email":"a@example.com","new_password":"hunter2"},"creditCard":"4111"}`, "||new_passwordcreditCard"},
		{urlencoded, strings.Repeat("a=b&", 999) + "email=a@example.com&z=1", "||body"},
	} {
		t.Run(tc.body[:min(50, len(tc.body))], func(t *testing.T) {
			p, err := form.Show(tc.contentType, []byte(tc.body), tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules())
			if err != nil || !p.Accepted || *p.Lead.Email != "a@example.com" && *p.Lead.Email != "A@Example.com" {
				t.Fatalf("%.80s = %+v, %v, want a lead", tc.body, p, err)
			}
			got := []string{"", "", ""}
			for i, text := range []*string{p.Lead.Name, p.Lead.Phone} {
				if text != nil {
					got[i] = *text
				}
			}
			for _, w := range p.Warnings {
				got[2] += w.Field
			}
			if strings.Join(got, "|") != tc.want || strings.Contains(string(p.Lead.Metadata), "hunter2") {
				t.Errorf("%.80s = %q, metadata %.200s, want %q", tc.body, got, p.Lead.Metadata, tc.want)
			}
		})
	}
}

func TestRefusalNamesWhatCame(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"kontakt_via=secret&nombre=secret": "email: Is missing. The form has kontakt_via, nombre: " +
			"call one of them email, or say in the key's form.fields which it is",
		"":                                "email: Is missing: nothing was sent",
		"a=a@example.com&b=b@example.com": "email: Is missing. The form has a, b: call one of them email, or say in the key's form.fields which it is",
		"correo=secret":                   "correo: Must be a valid email address",
		"email=a@example.com&email=secret@example.com": "email: Was given twice, with two different addresses: " +
			"please give the right one only",
	} {
		t.Run(body, func(t *testing.T) {
			s, err := form.Read(urlencoded, []byte(body), tenant.Form{}.WithDefaults())
			if err == nil {
				_, err = s.Lead(tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", false)
			}
			told := fault.From(err).Fields()
			if len(told) != 1 || told[0].Field+": "+told[0].Message != want || told[0].Value != nil {
				t.Errorf("%s is refused with %+v, want %s and no value", body, told, want)
			}
		})
	}
}
