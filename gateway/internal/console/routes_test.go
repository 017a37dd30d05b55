package console_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"leadgate/gateway/internal/console"
)

// notInTheConsole are the API's operations that no page does, each with the reason.
var notInTheConsole = map[string]string{
	"POST /api/v1/chatbots/{chatbotId}/leads": "a person adds a lead with POST /api/v1/leads",
	"POST /api/v1/leads/batch":                "a program's: people import a file",
	"GET /api/v1/events":                      "each event is on the page of its deliveries",
	"GET /api/v1/usage":                       "the books say the same, and why",
}

// forKeys reports whether an operation takes a secret key.
func forKeys(operation string) bool { return strings.Contains(operation, " /api/v1/") }

// operations are what the API's document has, with the scope of each.
func operations(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var operation struct {
				OperationID string
				Security    []struct{ Bearer []string }
			}
			if json.Unmarshal(raw, &operation) != nil || operation.OperationID == "" {
				continue // what all methods of a path have
			}
			scope := ""
			if len(operation.Security) > 0 && len(operation.Security[0].Bearer) > 0 {
				scope = operation.Security[0].Bearer[0]
			}
			all[strings.ToUpper(method)+" "+path] = scope
		}
	}
	return all
}

// Whatever a page does the API does too, and whatever a key does with the API a person does on a page.
func TestPagesAndAPIDoTheSame(t *testing.T) {
	t.Parallel()
	known, done := operations(t), map[string]bool{}
	for _, r := range console.Routes() {
		name := r.Method + " " + r.Path
		if len(r.Twins) == 0 && r.Method != "GET" { // else it is an empty form
			t.Errorf("%s names no route of the API that does the same", name)
		}
		for _, twin := range r.Twins {
			if _, ok := known[twin]; !ok {
				t.Errorf("%s does what %s does, which the API does not have", name, twin)
			}
			done[twin] = true
			if scope := known[twin]; r.Method != "GET" && scope != string(r.Scope) && forKeys(twin) {
				t.Errorf("%s needs the scope %s, and %s the scope %s", name, r.Scope, twin, scope)
			}
			if changes := !strings.HasPrefix(twin, "GET "); changes && r.Method == "GET" {
				t.Errorf("%s changes something, by %s, and is a GET", name, twin)
			}
		}
	}
	for operation := range known {
		switch reason := notInTheConsole[operation]; {
		case !forKeys(operation):
		case !done[operation] && reason == "":
			t.Errorf("no page does %s: add one, or the reason to notInTheConsole", operation)
		case done[operation] && reason != "":
			t.Errorf("a page does %s, which notInTheConsole says is not there", operation)
		}
	}
	for operation := range notInTheConsole {
		if _, ok := known[operation]; !ok {
			t.Errorf("the API has no %s", operation)
		}
	}
}
