package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// form is a small object with a member of every kind.
type form struct {
	Name   string
	Count  int
	Colour string
	Tags   []string
	Free   string
}

func read(body string) (form, []fault.Field) {
	var f form
	r := strictjson.NewReader([]byte(body), []string{"name", "count", "colour", "tags", "free"})
	for r.Next() {
		switch r.Name() {
		case "name":
			f.Name = r.Text(5)
		case "count":
			f.Count = r.Integer(1, 10)
		case "colour":
			f.Colour = r.Choice([]string{"red", "blue"})
		case "tags":
			f.Tags = r.Texts(3, 4)
		case "free":
			f.Free = string(r.Object(100, 3))
		}
	}
	return f, fields(r.Err())
}

// fields returns the mistakes of a VALIDATION_ERROR.
func fields(err error) []fault.Field {
	var f *fault.Error
	if !errors.As(err, &f) {
		return nil
	}
	text, _ := json.Marshal(f.Details)
	var details struct{ Errors []fault.Field }
	if err := json.Unmarshal(text, &details); err != nil {
		panic(err)
	}
	return details.Errors
}

func TestReads(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]form{
		`{}`:       {},
		" {\n} \t": {},
		`{"name":null,"count":null,"colour":null,"tags":null,"free":null}`: {},
		`{"name":"ünïcö","count":10,"colour":"blue","tags":["a","bcde"],"free":{"a":[{"b":-1.5e+10}]}}`: {
			"ünïcö", 10, "blue", []string{"a", "bcde"}, `{"a":[{"b":-1.5e+10}]}`},
		`{"n\u0061me":"a\"\ud83d\ude00","colour":"r\u0065d","tags":[]}`: {Name: `a"😀`, Colour: "red", Tags: []string{}},
		`{"free": { "z" : 1 , "a" : "\\u0000 \u00e9" } }`:               {Free: `{ "z" : 1 , "a" : "\\u0000 \u00e9" }`},
	} {
		t.Run(body, func(t *testing.T) {
			got, wrong := read(body)
			if diff := cmp.Diff(want, got); diff != "" || wrong != nil {
				t.Errorf("read(%s) differs (-want +got):\n%s\nwrong = %v", body, diff, wrong)
			}
		})
	}
}

func TestRefusesWithThePlace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 1001)
	for _, tc := range []struct {
		body string
		want []string // "field pointer: message"
	}{
		{``, []string{`body : Must be a JSON object`}},
		{`null`, []string{`body : Must be a JSON object`}},
		{`[]`, []string{`body : Must be a JSON object`}},
		{`"{}"`, []string{`body : Must be a JSON object`}},
		{`{`, []string{`body : Must be complete JSON: the body ends too early`}},
		{`{"name":"a`, []string{`name /name: Must be complete JSON: the body ends too early`}},
		{`{} {}`, []string{`body : Must be one JSON object and nothing after it`}},
		{`{}x`, []string{`body : Must be one JSON object and nothing after it`}},
		{`{"name":"a","name":"b"}`, []string{`name /name: Must be given only once`}},
		{`{"name":"a","n\u0061me":"b"}`, []string{`name /name: Must be given only once`}},
		{`{"free":{"a":[{"b":1,"b":2}]}}`, []string{`free /free/a/0/b: Must be given only once`}},
		{`{"other":{"b":1,"b":2}}`, []string{`other /other/b: Must be given only once`}},
		{"{\"name\":\"\xff\"}", []string{`name /name: Must be valid UTF-8`}},
		{"{\"free\":{\"\xc0\x80\":1}}", []string{`free /free: Must be valid UTF-8`}},
		{`{"a~/b":1,"Name":"x"}`, []string{`a~/b /a~0~1b: Unknown field: must be one of name, count, colour, tags, free`,
			`Name /Name: Unknown field: must be one of name, count, colour, tags, free`}},
		{`{"name":"abcdef","count":0,"colour":"green","tags":"a","free":[]}`,
			[]string{`name /name: Must be at most 5 characters`,
				`count /count: Must be a whole number between 1 and 10`, `colour /colour: Must be one of: red, blue`,
				`tags /tags: Must be an array of strings`, `free /free: Must be a JSON object`}},
		{`{"name":["a"],"count":1.0,"colour":1,"tags":[1,"abcde","\t"]}`, []string{`name /name: Must be a string`,
			`count /count: Must be a whole number between 1 and 10`, `colour /colour: Must be one of: red, blue`,
			`tags /tags/0: Must be a string`,
			`tags /tags/1: Must be at most 4 characters`, `tags /tags/2: Must not contain control characters`}},
		{`{"count":99999999999999999999,"tags":["a","b","c","d"]}`,
			[]string{`count /count: Must be a whole number between 1 and 10`, `tags /tags: Must be at most 3 strings`}},
		{`{"name":"a\u0000"}`, []string{`name /name: Must not contain control characters`}},
		{`{"name":"a\u0085"}`, []string{`name /name: Must not contain control characters`}},
		{`{"free":{"a":["x","b\u0000c"]}}`, []string{`free /free/a/1: Must not contain the character \u0000`}},
		{`{"free":{"a":{"b\u0000":1}}}`, []string{"free /free/a/b\x00: Must not contain the character \\u0000"}},
		{`{"free":{"a":[[[1]]]}}`, []string{`free /free/a/0/0: Must be nested at most 3 levels deep`}},
		{`{"free":{"a":1e1001}}`,
			[]string{`free /free/a: Must be a number of at most 1000 digits with an exponent between -1000 and 1000`}},
		{`{"free":{"a":1E-99999999999999999999}}`,
			[]string{`free /free/a: Must be a number of at most 1000 digits with an exponent between -1000 and 1000`}},
		{`{"free":{"a":"` + strings.Repeat("x", 100) + `"}}`, []string{`free /free: Must be at most 100 bytes of JSON`}},
		{`{"count":` + long + `}`, []string{`count /count: Must be a whole number between 1 and 10`}},
	} {
		t.Run(tc.body[:min(len(tc.body), 60)], func(t *testing.T) {
			_, wrong := read(tc.body)
			var got []string
			for _, f := range wrong {
				got = append(got, fmt.Sprintf("%s %s: %s", f.Field, f.Pointer, f.Message))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("read(%.100s) tells other mistakes (-want +got):\n%s", tc.body, diff)
			}
		})
	}
}

// What jsontext words itself is not pinned; that it is told, and where, is.
func TestRefusesBrokenJSON(t *testing.T) {
	t.Parallel()
	for body, pointer := range map[string]string{
		`{"name":"a",}`:               "",
		`{name:"a"}`:                  "",
		`{1:"a"}`:                     "",
		`{"name" "a"}`:                "/name",
		`{"name":'a'}`:                "/name",
		`{"name":"\ud800"}`:           "/name",
		`{"free":{"a":"\udc00x"}}`:    "/free/a",
		"{\"name\":\"a\x00b\"}":       "/name",
		"{\"name\":\"a\nb\"}":         "/name",
		`{"count":01}`:                "",
		`{"free":{"a":[1,nil]}}`:      "/free/a/1",
		"\xef\xbb\xbf{}":              "",
		strings.Repeat(`{"free":`, 2): "/free/free",
		`{"free":` + strings.Repeat(`[`, 20000) + strings.Repeat(`]`, 20000) + `}`: "/free" + strings.Repeat("/0", 97) + "/",
	} {
		t.Run(body[:min(len(body), 60)], func(t *testing.T) {
			_, wrong := read(body)
			if len(wrong) != 1 || wrong[0].Pointer != pointer || !strings.HasPrefix(wrong[0].Message, "Must be") {
				t.Errorf("read(%.100q) = %+v, want one mistake at %q", body, wrong, pointer)
			}
		})
	}
}

func TestEchoIsCut(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]any{
		`{"name":"` + strings.Repeat("é", 5000) + `"}`:   strings.Repeat("é", 200),
		`{"name":"` + strings.Repeat("é", 6) + `"}`:      "éééééé",
		`{"name":[` + strings.Repeat("1,", 500) + `1]}`:  ("[" + strings.Repeat("1,", 500))[:200],
		`{"name":{"a":"b"}}`:                             `{"a":"b"}`,
		`{"name":1` + strings.Repeat("0", 5000) + `}`:    "1" + strings.Repeat("0", 199),
		`{"name":1e999}`:                                 "1e999",
		`{"name":1.50}`:                                  1.5,
		`{"name":true}`:                                  true,
		`{"` + strings.Repeat("x", 500) + `":"secret"}`:  nil, // of a mistyped name it may be one
		`{"name":"` + strings.Repeat("😀", 5000) + `"}`:   strings.Repeat("😀", 200),
		`{"name":["` + strings.Repeat("😀", 5000) + `"]}`: `["` + strings.Repeat("😀", 198),
	} {
		t.Run(body[:min(len(body), 60)], func(t *testing.T) {
			_, wrong := read(body)
			if len(wrong) != 1 {
				t.Errorf("read(%.100s) = %d mistakes, want 1", body, len(wrong))
				return
			}
			if diff := cmp.Diff(want, wrong[0].Value); diff != "" {
				t.Errorf("read(%.100s) echoes another value (-want +got):\n%s", body, diff)
			}
			if len(wrong[0].Field) > 200 || len(wrong[0].Pointer) > 201 {
				t.Errorf("read(%.100s) tells a field of %d and a pointer of %d bytes, want at most 200", body, len(wrong[0].Field),
					len(wrong[0].Pointer))
			}
		})
	}
}

func TestReadsMore(t *testing.T) {
	t.Parallel()
	type more struct {
		Waits   []int
		Members map[string]string // "-" for null
		On      bool
		Secret  string
	}
	for _, tc := range []struct {
		body string
		want more
		told []string // "pointer value: message"
	}{
		{body: `{}`},
		{body: `{"waits":null,"members":null,"on":null,"secret":null}`},
		{body: `{"waits":[],"members":{},"on":false,"secret":""}`, want: more{Waits: []int{}, Members: map[string]string{}}},
		{body: `{"waits":[0,9],"members":{"a":"x","b\u0041":"","c":null},"on":true,"secret":"s\u0033"}`,
			want: more{[]int{0, 9}, map[string]string{"a": "x", "bA": "", "c": "-"}, true, "s3"}},
		{body: `{"waits":[1.0,"2",10,3],"members":{"a":1,"bad":"s3cret","bad2":null,"c/d":["s3cret"],"e":"ok"},"on":"true","secret":"wrong s3cret"}`,
			want: more{Waits: []int{0, 0, 0, 3}, Members: map[string]string{"e": "ok"}},
			told: []string{"/waits/0 1: Must be a whole number between 0 and 9",
				"/waits/1 2: Must be a whole number between 0 and 9", "/waits/2 10: Must be a whole number between 0 and 9",
				"/members/a <nil>: Must be a string, or null", "/members/bad <nil>: Must be good",
				"/members/bad2 <nil>: Must be good", "/members/c~1d <nil>: Must be a string, or null",
				"/on true: Must be true or false", "/secret <nil>: Must be right"}},
		{body: `{"waits":{},"members":[],"on":1,"secret":["s3cret"]}`,
			told: []string{"/waits {}: Must be an array of whole numbers", "/members <nil>: Must be a JSON object of strings",
				"/on 1: Must be true or false", "/secret <nil>: Must be a string"}},
		{body: `{"waits":[1,2,3,4,5],"members":{"a":"","b":"","c":"","d":"","e":"","f":""}}`, want: more{Waits: []int{1, 2, 3,
			4}},
			told: []string{"/waits [1,2,3,4,5]: Must be at most 4 numbers", `/members <nil>: Must have at most 5 members`}},
	} {
		t.Run(tc.body, func(t *testing.T) {
			var got more
			r := strictjson.NewReader([]byte(tc.body), []string{"waits", "members", "on", "secret"})
			for r.Next() {
				switch r.Name() {
				case "waits":
					got.Waits = r.Integers(4, 0, 9)
				case "members":
					members := r.Members(5, func(name, text string) string {
						if strings.HasPrefix(name, "bad") {
							return "Must be good"
						}
						return ""
					})
					for name, text := range members {
						if got.Members == nil {
							got.Members = map[string]string{}
						}
						got.Members[name] = "-"
						if text != nil {
							got.Members[name] = *text
						}
					}
					if members != nil && got.Members == nil {
						got.Members = map[string]string{}
					}
				case "on":
					got.On = r.Bool()
				case "secret":
					got.Secret = r.Secret(func(text string) string {
						if strings.HasPrefix(text, "wrong") {
							return "Must be right"
						}
						return ""
					})
				}
			}
			var told []string
			for _, f := range fields(r.Err()) {
				told = append(told, fmt.Sprintf("%s %v: %s", f.Pointer, f.Value, f.Message))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("read(%s) differs (-want +got):\n%s", tc.body, diff)
			}
			if diff := cmp.Diff(tc.told, told); diff != "" {
				t.Errorf("read(%s) tells other mistakes (-want +got):\n%s", tc.body, diff)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{`{}`: 1, `{"a":null}`: 1, `{"a":1}`: 0, `{"a":`: 0, `{"b":1}`: 2} {
		t.Run(body, func(t *testing.T) {
			r := strictjson.NewReader([]byte(body), []string{"a"})
			for r.Next() {
			}
			broken := fields(r.Err())
			r.Require("a", "Must be there")
			if got := len(fields(r.Err())); got != want && broken == nil || body == `{"a":` && got != 1 {
				t.Errorf("Require on %s: %d mistakes, want %d", body, got, want)
			}
		})
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{`[]`: true, "[ \n]": true, `{}`: true, `{ }`: true, `[null]`: false,
		`{"a":1}`: false, `""`: false, `null`: false, `0`: false} {
		t.Run(value, func(t *testing.T) {
			r := strictjson.NewReader([]byte(`{"a":`+value+`}`), []string{"a"})
			if !r.Next() || r.Empty() != want {
				t.Errorf("Empty() of %s = %v, want %v", value, !want, want)
			}
		})
	}
}
