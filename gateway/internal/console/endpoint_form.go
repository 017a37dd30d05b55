package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// endpointFormPage is a form of an endpoint, new or not.
type endpointFormPage struct {
	Endpoint endpoint
	Form     url.Values // what its fields show
	Chatbots []chatbot
	Types    []eventChoice
	Groups   []eventChoice
	Some     bool // single types are chosen
}

// eventChoice is a type of events, or a group of types, in words.
type eventChoice struct{ Type, Means string }

var eventMeanings = map[string]string{
	"lead.*": "Everything about leads, also what is added later", "endpoint.*": "Everything about webhooks, also what is added later",
	webhook.LeadCreated: "A lead is new", webhook.LeadUpdated: "A lead was changed", webhook.LeadDeleted: "A lead was deleted",
	webhook.LeadRestored:    "A deleted lead was restored",
	webhook.LeadEnriched:    "Facts about a lead were found",
	webhook.LeadSubmitted:   "Somebody whose lead is there sent a form again",
	webhook.LeadMarkedSpam:  "A submission was marked as spam",
	webhook.EndpointFailing: "Another endpoint has failed for a day", webhook.EndpointDisabled: "Another endpoint was stopped",
	webhook.EndpointSlow: "Another endpoint is slower than your target", webhook.WebhookTest: "A test",
}

func eventChoices(types []string) (all []eventChoice) {
	for _, t := range types {
		all = append(all, eventChoice{t, eventMeanings[t]})
	}
	return all
}

func (v *visit) showEndpointForm(title string, e endpoint, form url.Values) error {
	if v.form != nil {
		form = v.form
	}
	p := endpointFormPage{Endpoint: e, Form: form, Types: eventChoices(webhook.EventTypes()),
		Groups: eventChoices(webhook.EventGroups())}
	p.Some = slices.ContainsFunc(form["eventTypes"], func(t string) bool { return slices.Contains(webhook.EventTypes(), t) })
	if v.principal.May(tenant.WorkspaceManage) { // who may not list them keeps those that are chosen
		if _, err := v.list("/api/v1/chatbots", url.Values{"limit": {"100"}}, &p.Chatbots); err != nil {
			return err
		}
	}
	for _, id := range e.ChatbotIDs {
		if !slices.ContainsFunc(p.Chatbots, func(c chatbot) bool { return c.ID == id }) {
			p.Chatbots = append(p.Chatbots, chatbot{ID: id, Name: id})
		}
	}
	return v.show("endpoint-form.html", title, p)
}

func newEndpoint(v *visit) error {
	return v.showEndpointForm("New webhook", endpoint{}, url.Values{"eventTypes": webhook.EventGroups()})
}

// createEndpoint makes an endpoint and shows its secret, this once.
func createEndpoint(v *visit) error {
	body := map[string]any{}
	for _, name := range endpointFields {
		if value := endpointValue(name, v.r.PostForm, nil); value != nil {
			body[name] = value
		}
	}
	if batch := batchValue(v.r.PostForm); batch != nil {
		body["batch"] = batch
	}
	if signature := v.r.PostForm.Get("signature"); signature != "" {
		body["signature"] = signature
	}
	var e endpoint
	if err := v.send(http.MethodPost, "/api/v1/webhooks", body, &e); err != nil {
		return err
	}
	return v.show("endpoint-secret.html", "Your webhook is set up", e)
}

// askEndpoint shows the settings of an endpoint.
func askEndpoint(v *visit) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	if v.form != nil && !v.form.Has("url") { // another form of the page was refused
		v.form = nil
	}
	return v.showEndpointForm("Settings of "+e.Name(), e, remembered(endpointForm(e)))
}

// editEndpoint changes what differs from what the page showed.
func editEndpoint(v *visit) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	was, patch := shown(v.r.PostForm, endpointForm(e)), map[string]any{}
	for _, name := range endpointFields {
		if !slices.Equal(was[name], given(v.r.PostForm, name)) {
			patch[name] = endpointValue(name, v.r.PostForm, e.Headers)
		}
	}
	for _, name := range batchFields {
		if !slices.Equal(was[name], given(v.r.PostForm, name)) {
			patch["batch"] = batchValue(v.r.PostForm)
		}
	}
	if len(patch) > 0 {
		if err := v.send(http.MethodPatch, endpointPath(v), patch, nil); err != nil {
			return err
		}
	}
	return v.done(endpointPage(e), "The settings were saved.")
}

// endpointFields are the fields of the form, named as the API's.
var endpointFields = []string{"url", "description", "eventTypes", "chatbotIds", "headers", "payload", "rate",
	"maxInFlight", "timeoutSeconds"}

// batchFields are those of the form of which the API's field "batch" is made.
var batchFields = []string{"batchMax", "batchWaitMs"}

// endpointForm is what the fields of the form show of e.
func endpointForm(e endpoint) url.Values {
	f := url.Values{"url": {e.URL}, "payload": {e.Payload},
		"eventTypes": slices.Sorted(slices.Values(e.EventTypes))}
	for name, text := range map[string]string{"description": e.Description, "rate": positive(e.Rate),
		"maxInFlight": positive(e.MaxInFlight), "timeoutSeconds": positive(e.TimeoutSeconds), "headers": headerLines(e.Headers)} {
		if text != "" {
			f.Set(name, text)
		}
	}
	if e.Batch != nil {
		f.Set("batchMax", strconv.Itoa(e.Batch.Max))
		f.Set("batchWaitMs", strconv.Itoa(e.Batch.WaitMs))
	}
	if len(e.ChatbotIDs) > 0 {
		f["chatbotIds"] = slices.Sorted(slices.Values(e.ChatbotIDs))
	}
	return f
}

func positive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// given is what was entered into a field, or chosen of a list: without spaces around it, nil where it was left empty.
func given(f url.Values, name string) (values []string) {
	for _, text := range f[name] {
		if text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")); text != "" {
			values = append(values, text)
		}
	}
	slices.Sort(values)
	return values
}

// endpointValue is what the API takes for a field; nil is its default. What is no number it is given as it is: it says
// what would be right.
func endpointValue(name string, f url.Values, headers map[string]string) any {
	values := given(f, name)
	switch {
	case name == "headers":
		return headerChanges(f.Get(name), headers)
	case name == "eventTypes": // none are none, and refused: the default would be all
		return append([]string{}, values...)
	case len(values) == 0 && name == "url":
		return ""
	case len(values) == 0:
		return nil
	}
	switch name {
	case "chatbotIds":
		return values
	case "rate", "maxInFlight", "timeoutSeconds":
		return numberOrText(values[0])
	}
	return values[0]
}

// batchValue is what the API takes for "batch": nothing where no number of events is entered.
func batchValue(f url.Values) any {
	most := given(f, "batchMax")
	if len(most) == 0 {
		return nil
	}
	batch := map[string]any{"max": numberOrText(most[0]), "waitMs": nil}
	if wait := given(f, "batchWaitMs"); len(wait) > 0 {
		batch["waitMs"] = numberOrText(wait[0])
	}
	return batch
}

func numberOrText(text string) any {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return n
	}
	return text
}

// headerLines writes headers as "Name: value", a line each.
func headerLines(headers map[string]string) string {
	var lines []string
	for name, value := range headers {
		lines = append(lines, name+": "+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// headerChanges reads such lines. A header that was there and is not named any more goes.
func headerChanges(text string, was map[string]string) any {
	changes := map[string]any{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		changes[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	for name := range was {
		if _, stays := changes[name]; !stays {
			changes[name] = nil
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return changes
}
