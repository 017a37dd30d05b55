package form_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form"
	"leadgate/shared/tenant"
)

// What templates and scripts write by hand is read as it is meant, and told. Each is the members beside the email.
func TestMendedJSON(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		`"message":"she said "hi" to me"`:             `{"message":"she said \"hi\" to me"}`,
		`"message":"she said "hi", and left"`:         `{"message":"she said \"hi\", and left"}`,
		`"message":""hi""`:                            `{"message":"\"hi\""}`,
		`"message":"5" wide: see "plan"."`:            `{"message":"5\" wide: see \"plan\"."}`,
		`"message":"a {"b"} c"`:                       `{"message":"a {\"b\"} c"}`,
		`"a":["x "y" z","w"]`:                         `{"a":["x \"y\" z","w"]}`,
		`"path":"C:\dir\xnew\u00zz\u00e9\"q\""`:       `{"path":"C:\\dir\\xnew\\u00zzé\"q\""}`,
		`"note":"it\'s"`:                              `{"note":"it's"}`,
		"\"note\":\"two\nlines\tand\x01\"":            `{"note":"two\nlines\tand"}`,
		`"n":NaN,"u":undefined,"i":-Infinity,"x":"1"`: `{"x":"1"}`,
		`"n":None,"t":True,"f":False,"l":TRUE`:        `{"t":true,"f":false,"l":true}`,
		`"x":,"y":"1"`:                                `{"y":"1"}`,
		`"y":"1","x":`:                                `{"y":"1"}`,
		`,"y":"1",,"z":["a",,"b",],`:                  `{"y":"1","z":["a","b"]}`,
		`'y':'it is "so"','z':'O'Brien'`:              `{"y":"it is \"so\"","z":"O'Brien"}`,
		`y:"1",$z_2:[1,2],größe:3,utm-x:null`:         `{"y":"1","$z_2":[1,2],"größe":3}`,
		`"y":one & two,"zip":01234,"code":+1-555-010`: `{"y":"one & two","zip":"01234","code":"+1-555-010"}`,
		"\"y\":1, // the \"first\"\n/* b, */ \"z\":2": `{"y":1,"z":2}`,
		"\"y\":\"1\" // the \"first\"\n,\"z\":2":      `{"y":"1","z":2}`,
		"\"y\":1 // it is\n,\"z\":http://a.example/b": `{"y":1,"z":"http://a.example/b"}`,
		`"y":"1" "z":2 "w":"3"`:                       `{"y":"1","z":2,"w":"3"}`,
		`"y":"{"`:                                     `{"y":"{"}`,
		`"y":"a","y2":"b" , }, "z":{"w":"c" } `:       ``,
	} {
		for _, body := range []string{`{"email":"kim@example.com",` + members + `}`, `{` + members + `,"email":"kim@example.com"}`} {
			p, err := form.Show(jsonBody, []byte(body), tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules())
			if want == "" {
				if err != nil || p.Accepted {
					t.Errorf("%s = %+v, %v, want it refused", body, p, err)
				}
				continue
			}
			if err != nil || !p.Accepted || *p.Lead.Email != "kim@example.com" {
				t.Errorf("%s = %+v, %v, want a lead", body, p, err)
				continue
			}
			var got, wanted map[string]any
			if json.Unmarshal(p.Lead.Metadata, &got) != nil || json.Unmarshal([]byte(want), &wanted) != nil {
				t.Fatalf("metadata = %s, want %s", p.Lead.Metadata, want)
			}
			told := got["_warnings"] != nil
			delete(got, "_warnings")
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(wanted)
			if string(a) != string(b) || told == json.Valid([]byte(body)) {
				t.Errorf("%s: metadata = %s, warnings %v, want %s", body, p.Lead.Metadata, p.Warnings, want)
			}
		}
	}
}

// What cannot be mended is refused with the place and the reason, and only what broke off is asked for again.
func TestRefusedJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		body, message string
		again         bool
	}{
		{`{"email":"kim@example.com"`, "it broke off", true},
		{`{"email":"kim@example.com","message":"hel`, "it broke off", true},
		{`{"email":"kim@example.com","a":[1,`, "it broke off", true},
		{`{"email":"kim@example.com","path":"C:\dir","message":"hel`, "it broke off", true},
		{`{"email":"kim@example.com","a":tru`, "it broke off", true},
		{`{"email":"kim@example.com"]`, "after 26 bytes, invalid character ']'", false},
		{`{"email":"kim@example.com","name":{{name}}}`, "after 35 bytes, object member name must be a string", false},
		{`{"email":"kim@example.com"} {"a":1}`, "nothing after it", false},
		{`{"email":"kim@example.com","a" 1}`, "after 31 bytes, invalid character '1'", false},
		{``, "Must be a JSON object", false},
		{`5`, "Must be a JSON object", false},
	} {
		wantRefused(t, jsonBody, tc.body, "body", tc.message, tc.again)
	}
}

// However a body is made to be hard to mend, that takes little time and no more space than a few times its own.
func TestMendingIsLinear(t *testing.T) {
	t.Parallel()
	for _, part := range []string{`"`, `"//`, `" `, `",`, `"}`, `",a`, `"," `, `\`, `'`, `"/*`, `,`, `a:`, `[`, `{`,
		`"a":{`, "\x01", `":"`, `a /**/`, `","a":`, `"a" `, ` //`, `a //`, "\"\n"} {
		for _, head := range []string{`{`, `{"a":"`, `{"a":`, `["`, `{'a':'`} {
			body := head + strings.Repeat(part, (form.MaxBody-10)/len(part))
			began := time.Now()
			_, err := form.Read(jsonBody, []byte(body), tenant.Form{}.WithDefaults())
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s%s… took %v: %v", head, part, took, err)
			}
		}
	}
}
