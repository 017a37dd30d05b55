package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/testbrowser"
)

// deep finds an element in the parts of which the explorer is made.
const deep = `(function deep(selector, root) {
	for (const one of root.querySelectorAll('*')) {
		if (one.matches(selector)) return one
		const below = one.shadowRoot && deep(selector, one.shadowRoot)
		if (below) return below
	}
})`

// in is the expression of an element of the explorer.
func in(selector string) string { return deep + "(`" + selector + "`, document)" }

// inPath is a parameter of an operation's path.
var inPath = regexp.MustCompile(`\{\w+\}`)

// tried is a listener that notes what became of the operation that is wanted.
const tried = `({detail}) => {
	const [method, path] = window.wanted;
	const is = detail.request.method.toLowerCase() === method && new RegExp(path).test(new URL(detail.request.url).pathname);
	if (is) window.tried = detail;
}`

// tryIt opens an operation of the explorer, presses TRY until it is sent, and returns the status of the answer and what
// was asked.
func tryIt(p *testbrowser.Page, operation string) (status int, asked string) {
	method, path, _ := strings.Cut(operation, " ")
	method = strings.ToLower(method)
	button := in("api-request[path='"+path+"'][method='"+method+"']") + "?.shadowRoot.querySelector('[part~=btn-try]')"
	// What the operation before sent may be answered only now.
	p.Eval("window.wanted = [`"+method+"`, `^"+inPath.ReplaceAllString(path, "[^/]+")+"$`], 0", new(int))
	p.Eval("window.tried = null, location.hash = `"+method+"-"+strings.NewReplacer("{", "-", "}", "-").Replace(path)+"`, 0",
		new(int))
	p.Wait(button)
	p.Eval(button+".click(), 0", new(int))
	// The first click may only put an id of one's own there; that of a chatbot is sent at once.
	if method != "get" && strings.Contains(path, "{") && !(method == "post" && strings.Contains(path, "{chatbotId}")) {
		field := in("api-request[path='"+path+"'][method='"+method+"']") + ".shadowRoot.querySelector('[data-ptype=path]')"
		p.Wait("window.tried || " + field + ".value !== " + field + ".dataset.example")
		p.Eval("window.tried || "+button+".click(), 0", new(int))
	}
	p.Wait("window.tried")
	p.Eval("window.tried.response?.status ?? 0", &status)
	p.Eval("window.tried.request.url", &asked)
	if status >= 400 {
		var answer string
		p.Eval("JSON.stringify(window.tried.responseBody)", &answer)
		asked += " " + answer
	}
	return status, asked
}

// openExplorer opens the explorer with the key of an owner.
func (b *bundle) openExplorer(t *testing.T) *testbrowser.Page {
	t.Helper()
	p := testbrowser.New(t)
	p.Open(b.url + "/docs/explorer")
	p.Wait("document.querySelector('rapi-doc').resolvedSpec?.securitySchemes?.length")
	p.Eval("document.querySelector('rapi-doc').setApiKey('bearer', `"+b.secret+"`), 0", new(int))
	p.Eval("document.querySelector('rapi-doc').addEventListener('after-try', "+tried+"), 0", new(int))
	return p
}

// Every operation succeeds with the example that the explorer fills in, where its owner has such a thing.
func TestExplorerTriesEveryOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.openExplorer(t)
	makers()["formKey"](t, b, b.owner)
	refused := map[string]int{
		"POST /api/v1/leads":          http.StatusConflict, // the operation for chatbots has the same example
		"DELETE /api/v1/suppressions": http.StatusNotFound, // nothing is suppressed yet
		"GET /f/{formKey}/challenge":  http.StatusConflict, // the form asks for none
	}
	for _, o := range mustDocument(t).Operations() {
		name := o.Method + " " + o.Path
		b.mustPath(t, o, b.owner, map[string]string{})
		status, asked := tryIt(p, name)
		if success := status >= 200 && status < 300; !success && status != refused[name] {
			t.Errorf("%s = %d of %s", name, status, asked)
		}
	}
}

// Whoever opens the explorer with a key sees operations succeed at the first click, with ids of their own. It is well
// before and after that.
func TestExplorerTries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lead := b.mustCreate(t, b.owner, "ann@example.com")
	hook := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	p := b.openExplorer(t)
	p.Eval("location.hash = 'post-/api/v1/leads', 0", new(int))
	p.Wait(in("api-request[path='/api/v1/leads'][method='post']"))
	p.WantWell("explorer")
	if status, asked := tryIt(p, "GET /api/v1/workspace"); status != http.StatusOK {
		t.Fatalf("GET /api/v1/workspace = %d of %s", status, asked)
	}
	p.WantWell("explorer-tried")
	for _, test := range []struct {
		operation string
		status    int
		path      string // of what was asked
	}{
		{"GET /api/v1/leads/{id}", 200, "/api/v1/leads/" + lead},
		{"GET /api/v1/leads/{id}/timeline", 200, "/api/v1/leads/" + lead + "/timeline"},
		{"GET /api/v1/leads", 200, "/api/v1/leads"},
		{"POST /api/v1/leads", 201, "/api/v1/leads"},
		{"POST /api/v1/leads/batch", 207, "/api/v1/leads/batch"},
		{"POST /api/v1/chatbots/{chatbotId}/leads", 409, id.Chatbot.Format(b.chatbot) + "/leads"}, // the same example as above
		{"GET /api/v1/webhooks/{id}", 200, "/api/v1/webhooks/" + hook},
		{"GET /api/v1/webhooks/{id}/deliveries", 200, "/api/v1/webhooks/" + hook + "/deliveries"},
		{"GET /api/v1/events", 200, "/api/v1/events"},
		{"GET /api/v1/events/{id}", 200, "/api/v1/events/evt_"},
		{"GET /api/v1/deliveries", 200, "/api/v1/deliveries"},
		{"GET /api/v1/speed", 200, "/api/v1/speed"},
		{"POST /api/v1/webhooks", 201, "/api/v1/webhooks"},
		{"GET /api/v1/usage", 200, "/api/v1/usage"},
		{"GET /api/v1/books", 200, "/api/v1/books"},
		{"GET /api/v1/audit", 200, "/api/v1/audit"},
		{"GET /api/v1/submissions", 200, "/api/v1/submissions"},
		{"POST /api/v1/keys", 201, "/api/v1/keys"},
		{"GET /api/v1/keys/{id}", 200, "/api/v1/keys/key_"},
		{"GET /api/v1/leads/export", 200, "/api/v1/leads/export"},
		{"POST /api/v1/console-sessions", 201, "/api/v1/console-sessions"},
	} {
		status, asked := tryIt(p, test.operation)
		if status != test.status || !strings.Contains(asked, test.path) {
			t.Errorf("%s at the first click = %d of %s, want %d of %s", test.operation, status, asked, test.status, test.path)
		}
	}
	// What changes a thing of one's own is sent when one has seen which it is.
	button := in("api-request[path='/api/v1/webhooks/{id}'][method='delete']") + "?.shadowRoot"
	p.Eval("window.wanted = ['delete', '^/api/v1/webhooks/'], window.tried = null, 0", new(int))
	p.Eval("location.hash = 'delete-/api/v1/webhooks/-id-', 0", new(int))
	p.Wait(button + ".querySelector('[part~=btn-try]')")
	p.Eval(button+".querySelector('[part~=btn-try]').click(), 0", new(int))
	p.Wait(button + ".querySelector('[data-ptype=path]').validationMessage === '' && " +
		button + ".querySelector('[data-ptype=path]').value !== 'we_01jhn3r6b1d3f5h7k9n1q3s5v7'")
	if got := b.send(t, b.secret, "GET", "/api/v1/webhooks/"+hook, ""); got.status != http.StatusOK {
		t.Errorf("after the first click on DELETE the webhook is %v, want it there", got)
	}
	p.Eval(button+".querySelector('[part~=btn-try]').click(), 0", new(int))
	p.Wait("window.tried?.response?.status === 204")

	for _, problem := range p.Problems() {
		// a filter of several fields that is empty, which is not sent; and the 409 above
		if !strings.Contains(problem, "RapiDoc: unable to parse") && !strings.Contains(problem, "409 (Conflict)") {
			t.Error(problem)
		}
	}
}
