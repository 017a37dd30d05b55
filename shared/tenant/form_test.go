package tenant_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// readForm reads {"form":text} over old.
func readForm(old tenant.Form, text string) (tenant.Form, []fault.Field) {
	in := strictjson.NewReader([]byte(`{"form":`+text+`}`), []string{"form"})
	f := old
	for in.Next() {
		f = tenant.ReadForm(in, old)
	}
	wrong, _ := in.Wrong()
	return f, wrong
}

const wholeForm = `{"chatbotId":"cb_00000000000000000000000001","origins":["https://www.example.com","http://localhost:3000","*"],"redirectUrl":"https://www.example.com/thanks?a=1",
"source":"landing","honeypot":"website_url","minFillMs":1500,"onDuplicate":"update","suspectAt":0,"holdAt":1000,"maxHeldPerDay":10,"captcha":"turnstile","captchaSecret":"abc","captchaOutage":"refuse","captchaMinScore":0,"perMinute":60,"perMinuteIp":5}`

func TestReadForm(t *testing.T) {
	t.Parallel()
	whole, wrong := readForm(tenant.Form{}, wholeForm)
	if len(wrong) > 0 {
		t.Fatalf("ReadForm() refuses %+v", wrong)
	}
	if diff := cmp.Diff(whole, whole.WithDefaults()); diff != "" {
		t.Errorf("WithDefaults() changes what is given (-want +got):\n%s", diff)
	}
	var want tenant.Form
	if err := json.Unmarshal([]byte(wholeForm), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, whole); diff != "" {
		t.Errorf("ReadForm() (-want +got):\n%s", diff)
	}
	// What is absent stays; null is the default; a verifier's secret does not outlive it.
	changed, wrong := readForm(whole, `{"source":null,"captcha":null,"perMinute":7}`)
	want.Source, want.Captcha, want.CaptchaSecret, want.PerMinute = "", "", "", 7
	if diff := cmp.Diff(want, changed); diff != "" || len(wrong) > 0 {
		t.Errorf("ReadForm() over another, mistakes %+v (-want +got):\n%s", wrong, diff)
	}
	if _, wrong := readForm(whole, `{"captcha":"hcaptcha"}`); len(wrong) != 1 ||
		wrong[0].Pointer != "/form/captchaSecret" {
		t.Errorf("another verifier without a secret: mistakes %+v, want one at /form/captchaSecret", wrong)
	}
	if f, wrong := readForm(whole, `null`); len(wrong) > 0 || !cmp.Equal(f, whole) {
		t.Errorf("null: %+v, %+v, want it as it was", f, wrong)
	}
}

func TestReadFormRefuses(t *testing.T) {
	t.Parallel()
	for text, pointer := range map[string]string{
		`[]`:                   "/form",
		`{"x":1}`:              "/form/x",
		`{"chatbotId":"john"}`: "/form/chatbotId",
		`{"origins":"*"}`:      "/form/origins",
		`{"origins":[1]}`:      "/form/origins/0",
		`{"origins":["https://a.example.com","https://a.example.com/"]}`: "/form/origins/1",
		`{"origins":["*","*"]}`:                                 "/form/origins/1",
		`{"origins":["https://EXAMPLE.com"]}`:                   "/form/origins/0",
		`{"origins":["https://example.com:443"]}`:               "/form/origins/0",
		`{"origins":["null"]}`:                                  "/form/origins/0",
		`{"origins":["example.com"]}`:                           "/form/origins/0",
		`{"redirectUrl":"javascript:alert(1)"}`:                 "/form/redirectUrl",
		`{"redirectUrl":"/thanks"}`:                             "/form/redirectUrl",
		`{"redirectUrl":"https://a:b@example.com/"}`:            "/form/redirectUrl",
		`{"source":"` + strings.Repeat("x", 101) + `"}`:         "/form/source",
		`{"honeypot":"E-Mail"}`:                                 "/form/honeypot",
		`{"honeypot":"_next"}`:                                  "/form/honeypot",
		`{"honeypot":"a b"}`:                                    "/form/honeypot",
		`{"minFillMs":-1}`:                                      "/form/minFillMs",
		`{"minFillMs":1.5}`:                                     "/form/minFillMs",
		`{"onDuplicate":"return"}`:                              "/form/onDuplicate",
		`{"captcha":"mine","captchaSecret":"x"}`:                "/form/captcha",
		`{"captcha":"turnstile"}`:                               "/form/captchaSecret",
		`{"captcha":"turnstile","captchaSecret":"s e c r e t"}`: "/form/captchaSecret",
		`{"captchaSecret":"x"}`:                                 "/form/captchaSecret",
		`{"captchaOutage":"wait"}`:                              "/form/captchaOutage",
		`{"perMinute":0}`:                                       "/form/perMinute",
		`{"perMinuteIp":"5"}`:                                   "/form/perMinuteIp",
		`{"captchaMinScore":1.01}`:                              "/form/captchaMinScore",
		`{"captchaMinScore":"0.5"}`:                             "/form/captchaMinScore",
		`{"captchaMinScore":-0.1}`:                              "/form/captchaMinScore",
	} {
		t.Run(text, func(t *testing.T) {
			_, wrong := readForm(tenant.Form{}, text)
			if len(wrong) == 0 || wrong[0].Pointer != pointer || wrong[0].Message == "" {
				t.Errorf("%s: mistakes %+v, want the first at %s", text, wrong, pointer)
			}
			if told, _ := json.Marshal(wrong); strings.Contains(string(told), "s e c r e t") {
				t.Errorf("%s: mistakes tell the secret", text)
			}
		})
	}
}

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://Example.COM/a?b#c": "https://example.com", "http://example.com:80": "http://example.com",
		"https://example.com:8443/": "https://example.com:8443",
		"https://bücher.example/":   "https://xn--bcher-kva.example", "http://[::1]:8080/x": "http://[::1]:8080",
		"http://127.0.0.1": "http://127.0.0.1",
		"null":             "", "": "", "ftp://example.com": "", "https://": "", "https://a:b@example.com": "",
		"//example.com":        "",
		"https://exa mple.com": "",
		"https://example.com:": "", "https://example.com:0": "", "https://example.com:99999": "",
		"https://[fe80::1%25eth0]/": "", "https:example.com": "",
	} {
		t.Run(raw, func(t *testing.T) {
			if got, ok := tenant.ParseOrigin(raw); got != want || ok != (want != "") {
				t.Errorf("ParseOrigin(%q) = %q, %v, want %q", raw, got, ok, want)
			}
		})
	}
}

func TestIsLeadField(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"email": true, "E-Mail": true, "first_name": true, "tel": true, "nombre": false,
		"company": false, "": false, "email2": false, "website": false, "source": false} {
		t.Run(name, func(t *testing.T) {
			if got := tenant.IsLeadField(name); got != want {
				t.Errorf("IsLeadField(%q) = %v, want %v", name, got, want)
			}
		})
	}
}
