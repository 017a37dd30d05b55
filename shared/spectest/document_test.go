package spectest_test

import (
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/spectest"
)

const small = `{"openapi":"3.1.0","paths":{
"/things/{id}":{"get":{"operationId":"getThing","security":[],"parameters":[{"name":"id","in":"path","schema":{"type":"string"}}],"responses":{
  "200":{"headers":{"ETag":{"required":true,"schema":{"type":"string","pattern":"^\""}}},"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"},"example":{"id":"a"}}}},
  "204":{"description":"nothing"}}}},
"/things/new":{"post":{"operationId":"createThing","security":[{"bearer":["things:write"]}],"responses":{"204":{"description":"done"}}}}},
"components":{"schemas":{"Thing":{"type":"object","required":["id"],"properties":{"id":{"type":"string"}},"additionalProperties":false}},
"responses":{"NotFound":{"content":{"text/plain":{"schema":{"type":"string"}}}},"MethodNotAllowed":{"content":{"text/plain":{"schema":{"type":"string"}}}}}}}`

func TestCheck(t *testing.T) {
	t.Parallel()
	d, err := spectest.Read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if wrong := append(d.CheckExamples(), d.CheckSchemas()...); wrong != nil {
		t.Errorf("the document has %v, want nothing wrong", wrong)
	}
	for name, c := range map[string]struct {
		method, path string
		status       int
		header, body string
		want         string // in the error; "": it is documented
	}{
		"as documented":    {"GET", "/things/a", 200, "Content-Type: application/json|ETag: \"1\"", `{"id":"a"}`, ""},
		"HEAD has no body": {"HEAD", "/things/a", 200, "Content-Type: application/json|ETag: \"1\"", "", ""},
		"an unknown field": {"GET", "/things/a", 200, "Content-Type: application/json|ETag: \"1\"", `{"id":"a","more":1}`,
			"additional properties 'more'"},
		"a missing field": {"GET", "/things/a", 200, "Content-Type: application/json|ETag: \"1\"", `{}`,
			"missing property 'id'"},
		"a missing header": {"GET", "/things/a", 200, "Content-Type: application/json", `{"id":"a"}`,
			"header ETag is documented as required"},
		"a wrong header": {"GET", "/things/a", 200, "Content-Type: application/json|ETag: 1", `{"id":"a"}`,
			"header ETag"},
		"an unknown header": {"GET", "/things/a", 204, "Location: /", "", "header Location is sent and not documented"},
		"another media type": {"GET", "/things/a", 200, "Content-Type: text/html|ETag: \"1\"", "<p>",
			"is not documented, only [application/json]"},
		"a body beside 204":   {"GET", "/things/a", 204, "", "x", "a body is sent"},
		"an unknown status":   {"GET", "/things/a", 418, "", "", "status 418 is not documented"},
		"literal before id":   {"POST", "/things/new", 204, "", "", ""},
		"no such path":        {"GET", "/nothing", 404, "Content-Type: text/plain", "no", ""},
		"found without path":  {"GET", "/nothing", 200, "Content-Type: text/plain", "yes", "200 is not documented"},
		"no such method":      {"POST", "/things/a", 405, "Content-Type: text/plain", "no", ""},
		"method taken anyway": {"POST", "/things/a", 204, "", "", "204 is not documented"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			for line := range strings.SplitSeq(c.header, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					header.Set(name, value)
				}
			}
			err := d.Check(c.method, c.path, spectest.Answer{Status: c.status, Header: header, Body: []byte(c.body)})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check(%s %s) = %v, want %q", c.method, c.path, err, c.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for what, edit := range map[string][2]string{
		"leads nowhere":  {"#/components/schemas/Thing", "#/components/schemas/Other"},
		"is not its own": {"createThing", "getThing"},
	} {
		if _, err := spectest.Read([]byte(strings.Replace(small, edit[0], edit[1], 1))); err == nil ||
			!strings.Contains(err.Error(), what) {
			t.Errorf("Read() = %v, want an error: %s", err, what)
		}
	}
	d, err := spectest.Read([]byte(strings.Replace(small, `{"id":"a"}`, `{"id":1}`, 1)))
	if err != nil || len(d.CheckExamples()) != 1 {
		t.Errorf("an example of another type is not told (%v)", err)
	}
}
