package spectest

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// telling are headers that a client acts on: one that is sent must be documented.
var telling = []string{"Location", "ETag", "Retry-After", "Idempotency-Replayed", "Content-Disposition",
	"WWW-Authenticate"}

// Answer is what a request got.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Check tells how an answer differs from what is documented of the operation that method and path ask for.
// What no path matches must be the document's component NotFound, a method a path has not MethodNotAllowed.
func (d *Document) Check(method, path string, a Answer) error {
	o, known := d.find(method, path)
	if o == nil {
		name := "NotFound"
		if known {
			name = "MethodNotAllowed"
		}
		if want := map[string]int{"NotFound": 404, "MethodNotAllowed": 405}[name]; a.Status != want {
			return fmt.Errorf("%d is not documented: the path and method are not", a.Status)
		}
		return d.body("#/components/responses/"+name, method, a)
	}
	pointer := o.pointer + "/responses/" + strconv.Itoa(a.Status)
	response, pointer, err := d.follow(pointer)
	if err != nil {
		return fmt.Errorf("%s: status %d is not documented", o.ID, a.Status)
	}
	if err := d.headers(response, pointer, a); err != nil {
		return fmt.Errorf("%s: %d: %w", o.ID, a.Status, err)
	}
	if err := d.body(pointer, method, a); err != nil {
		return fmt.Errorf("%s: %d: %w", o.ID, a.Status, err)
	}
	return nil
}

// find returns the operation, or whether at least the path is known. A literal part of a path comes before a parameter.
func (d *Document) find(method, path string) (found *Operation, known bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	best := -1
	for i := range d.operations {
		o := &d.operations[i]
		literal, ok := match(o.Path, path)
		known = known || ok
		if ok && o.Method == method && literal > best {
			best, found = literal, o
		}
	}
	return found, known
}

// match reports whether path is of the template, and how many of its parts stand there literally.
func match(template, path string) (literal int, ok bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return 0, false
	}
	for i := range want {
		switch {
		case want[i] == got[i]:
			literal++
		case !strings.HasPrefix(want[i], "{") || got[i] == "":
			return 0, false
		}
	}
	return literal, true
}

func (d *Document) headers(response map[string]any, pointer string, a Answer) error {
	documented := object(response["headers"])
	for _, name := range telling {
		if _, ok := documented[name]; !ok && a.Header.Get(name) != "" {
			return fmt.Errorf("header %s is sent and not documented", name)
		}
	}
	for name := range documented {
		header, at, err := d.follow(pointer + "/headers/" + escape(name))
		if err != nil {
			return err
		}
		value, given := "", false
		for sent, values := range a.Header { // RateLimit is not spelt as Go has headers
			if strings.EqualFold(sent, name) && len(values) > 0 {
				value, given = values[0], true
			}
		}
		switch {
		case !given && header["required"] == true:
			return fmt.Errorf("header %s is documented as required and not sent", name)
		case !given:
			continue
		}
		if err := d.Validate(at+"/schema", value); err != nil {
			return fmt.Errorf("header %s: %q: %w", name, value, err)
		}
	}
	return nil
}

func (d *Document) body(pointer, method string, a Answer) error {
	response, pointer, err := d.follow(pointer)
	if err != nil || method == http.MethodHead {
		return err
	}
	content := object(response["content"])
	if len(content) == 0 {
		if len(a.Body) > 0 {
			return fmt.Errorf("a body is sent and none documented: %.300s", a.Body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if _, ok := content[media]; !ok || err != nil {
		return fmt.Errorf("Content-Type %q is not documented, only %v", a.Header.Get("Content-Type"),
			slices.Sorted(maps.Keys(content)))
	}
	if media != "application/json" {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body))
	if err != nil {
		return fmt.Errorf("%.300s: %w", a.Body, err)
	}
	if err := d.Validate(pointer+"/content/application~1json/schema", value); err != nil {
		return fmt.Errorf("%.600s: %w", a.Body, err)
	}
	return nil
}

// CheckExamples tells every example of the document that its own schema refuses.
func (d *Document) CheckExamples() (wrong []error) {
	d.walk(d.root, "#", func(node map[string]any, at string) {
		if node["schema"] == nil {
			return
		}
		check := func(name string, value any) {
			if err := d.Validate(at+"/schema", value); err != nil {
				wrong = append(wrong, fmt.Errorf("%s of %s: %w", name, at, err))
			}
		}
		if v, ok := node["example"]; ok {
			check("example", v)
		}
		for name, e := range object(node["examples"]) {
			check("example "+name, object(e)["value"])
		}
	})
	return wrong
}

// CheckSchemas tells every schema that does not compile.
func (d *Document) CheckSchemas() (wrong []error) {
	for name := range object(object(d.root["components"])["schemas"]) {
		if _, err := d.schema("#/components/schemas/" + escape(name)); err != nil {
			wrong = append(wrong, err)
		}
	}
	d.walk(d.root, "#", func(node map[string]any, at string) {
		if node["schema"] != nil {
			if _, err := d.schema(at + "/schema"); err != nil {
				wrong = append(wrong, err)
			}
		}
	})
	return wrong
}

// walk visits every object outside of schemas and lists.
func (d *Document) walk(node any, at string, visit func(node map[string]any, at string)) {
	n, ok := node.(map[string]any)
	if !ok {
		return
	}
	visit(n, at)
	for k, v := range n {
		if k != "schema" && k != "schemas" && k != "example" {
			d.walk(v, at+"/"+escape(k), visit)
		}
	}
}
