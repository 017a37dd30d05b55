// Package spectest holds an HTTP API against its OpenAPI 3.1 document, in tests: whatever is answered must be
// documented.
package spectest

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const location = "https://document.example.com/openapi.json"

// Document is an OpenAPI document that was read.
type Document struct {
	root       map[string]any
	operations []Operation

	mu       sync.Mutex // of the compiler and what it made
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by pointer
}

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path string
	Scopes           []string // empty: every key
	Public           bool     // it takes no key
	Query            []string // names of its parameters
	// of the path and the query: name to what its schema is called, "" where that has no name
	Parameters map[string]string
	Bodies     []Body // examples of requests
	Success    []int  // its statuses below 400

	pointer string
	node    map[string]any
}

// Body is an example of a request.
type Body struct {
	Name, MediaType string
	Value           any // as it stands in the document: text for what is not JSON
}

// Read reads a document and makes sure that it is whole: every reference leads somewhere, every operation has an id of
// its own.
func Read(text []byte) (*Document, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an OpenAPI document is an object")
	}
	d := &Document{root: root, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(location, root); err != nil {
		return nil, err
	}
	if err := d.checkRefs(root, "#"); err != nil {
		return nil, err
	}
	return d, d.readOperations()
}

func (d *Document) checkRefs(node any, at string) error {
	switch n := node.(type) {
	case map[string]any:
		if to, ok := n["$ref"].(string); ok {
			if _, err := d.at(to); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
		for k, v := range n {
			if err := d.checkRefs(v, at+"/"+k); err != nil {
				return err
			}
		}
	case []any:
		for i, v := range n {
			if err := d.checkRefs(v, fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// at returns what a pointer "#/..." leads to.
func (d *Document) at(pointer string) (any, error) {
	var node any = d.root
	path, ok := strings.CutPrefix(pointer, "#/")
	if !ok {
		return nil, fmt.Errorf("reference %q leads out of the document", pointer)
	}
	for name := range strings.SplitSeq(path, "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		object, _ := node.(map[string]any)
		if node, ok = object[name]; !ok {
			return nil, fmt.Errorf("reference %q leads nowhere", pointer)
		}
	}
	return node, nil
}

// follow returns the object at pointer, or where its $ref leads, and the pointer to that.
func (d *Document) follow(pointer string) (map[string]any, string, error) {
	for range 8 {
		node, err := d.at(pointer)
		if err != nil {
			return nil, "", err
		}
		object, ok := node.(map[string]any)
		if !ok {
			return nil, "", fmt.Errorf("%s is no object", pointer)
		}
		to, ok := object["$ref"].(string)
		if !ok {
			return object, pointer, nil
		}
		pointer = to
	}
	return nil, "", fmt.Errorf("%s is a circle of references", pointer)
}

func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

func object(v any) map[string]any { o, _ := v.(map[string]any); return o }

func str(v any) string { s, _ := v.(string); return s }

// Operations returns all of them in the order of their paths and methods.
func (d *Document) Operations() []Operation { return d.operations }

func (d *Document) readOperations() error {
	ids := map[string]bool{}
	paths := object(d.root["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := object(paths[path])
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			o, err := d.readOperation(path, method, object(methods[method]))
			if err != nil {
				return fmt.Errorf("%s %s: %w", method, path, err)
			}
			if ids[o.ID] || o.ID == "" {
				return fmt.Errorf("%s %s: operationId %q is not its own", method, path, o.ID)
			}
			ids[o.ID] = true
			d.operations = append(d.operations, o)
		}
	}
	return nil
}

func (d *Document) readOperation(path, method string, node map[string]any) (Operation, error) {
	o := Operation{ID: str(node["operationId"]), Method: strings.ToUpper(method), Path: path,
		Parameters: map[string]string{}, node: node,
		pointer: "#/paths/" + escape(path) + "/" + method}
	security, _ := node["security"].([]any)
	o.Public = len(security) == 0
	for _, s := range security {
		scopes, _ := object(s)["bearer"].([]any)
		for _, scope := range scopes {
			o.Scopes = append(o.Scopes, str(scope))
		}
	}
	parameters, _ := node["parameters"].([]any)
	for _, p := range parameters {
		parameter := object(p)
		if to := str(parameter["$ref"]); to != "" {
			var err error
			if parameter, _, err = d.follow(to); err != nil {
				return o, err
			}
		}
		name := str(parameter["name"])
		if in := str(parameter["in"]); in == "query" {
			o.Query = append(o.Query, name)
		} else if in != "path" {
			continue
		}
		o.Parameters[name] = strings.TrimPrefix(str(object(parameter["schema"])["$ref"]), "#/components/schemas/")
	}
	for status := range object(node["responses"]) {
		if status < "4" {
			var n int
			fmt.Sscan(status, &n)
			o.Success = append(o.Success, n)
		}
	}
	content := object(object(node["requestBody"])["content"])
	for _, media := range slices.Sorted(maps.Keys(content)) {
		c := object(content[media])
		if v, ok := c["example"]; ok {
			o.Bodies = append(o.Bodies, Body{"example", media, v})
		}
		examples := object(c["examples"])
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			o.Bodies = append(o.Bodies, Body{name, media, object(examples[name])["value"]})
		}
	}
	return o, nil
}

// IsPaged reports whether an operation answers a page of a list.
func (o Operation) IsPaged() bool {
	content := object(object(object(o.node["responses"])["200"])["content"])
	schema := object(object(content["application/json"])["schema"])
	return object(schema["properties"])["nextCursor"] != nil
}

// schema returns the schema at a pointer, compiled.
func (d *Document) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.schemas[pointer]; ok {
		return s, nil
	}
	s, err := d.compiler.Compile(location + "#" + (&url.URL{Fragment: strings.TrimPrefix(pointer, "#")}).EscapedFragment())
	if err == nil {
		d.schemas[pointer] = s
	}
	return s, err
}

// Validate checks a value against the schema at a pointer.
func (d *Document) Validate(pointer string, value any) error {
	s, err := d.schema(pointer)
	if err != nil {
		return fmt.Errorf("compile %s: %w", pointer, err)
	}
	return s.Validate(value)
}

// Fields returns the names of the fields that the body of an operation can have.
func (d *Document) Fields(o Operation, media string) ([]string, error) {
	schema, _, err := d.follow(bodyOf(o, media))
	return slices.Sorted(maps.Keys(object(schema["properties"]))), err
}

// ValidateBody checks the body of a request.
func (d *Document) ValidateBody(o Operation, media string, value any) error {
	return d.Validate(bodyOf(o, media), value)
}

func bodyOf(o Operation, media string) string {
	return o.pointer + "/requestBody/content/" + escape(media) + "/schema"
}
