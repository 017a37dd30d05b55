package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// webhookFields are the fields of an endpoint that can be given when it is made and changed later.
var webhookFields = []string{"url", "description", "eventTypes", "chatbotIds", "headers", "payload", "rate",
	"maxInFlight", "timeoutSeconds", "batch", "enabled"}

const urlRule = "Must be the URL that events are sent to"

// edit is what a body asks of an endpoint. A field that is null goes back to its default (RFC 7396), so one reading
// serves creating and changing.
type edit struct {
	now      time.Time
	changes  []func(*webhook.Endpoint)
	chatbots []listed
}

// listed is a chatbot and where in the list it stands.
type listed struct {
	at      int
	chatbot id.UUID
}

func (d *edit) set(change func(*webhook.Endpoint)) { d.changes = append(d.changes, change) }

// apply makes the changes and checks what can only be seen then.
func (d *edit) apply(e *webhook.Endpoint) []fault.Field {
	for _, change := range d.changes {
		change(e)
	}
	if n := len(e.Headers); n > webhook.MaxHeaders {
		return []fault.Field{{Field: "headers", Pointer: "/headers", Value: n,
			Message: fmt.Sprintf("Must be at most %d headers, including those that are kept", webhook.MaxHeaders)}}
	}
	var wrong []fault.Field
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if e.Headers[name] == webhook.HeaderMask {
			pointer := "/headers/" + strings.ReplaceAll(name, "~", "~0")
			wrong = append(wrong, fault.Field{Field: "headers", Pointer: pointer, Value: webhook.HeaderMask,
				Message: "Must be the value itself: " + webhook.HeaderMask + " keeps the value of a header that is there"})
		}
	}
	return wrong
}

// read reads the current member, one of webhookFields.
func (d *edit) read(r *strictjson.Reader, checkURL func(string) string) {
	switch r.Name() {
	case "url":
		url, given := r.String("Must be a string")
		if wrong := checkURL(url); given && wrong != "" {
			r.Refuse(wrong)
		}
		d.set(func(e *webhook.Endpoint) { e.URL = url })
	case "description":
		text := r.Text(webhook.MaxDescription)
		d.set(func(e *webhook.Endpoint) { e.Description = text })
	case "eventTypes":
		types := readEventTypes(r)
		d.set(func(e *webhook.Endpoint) { e.EventTypes = types })
	case "chatbotIds":
		chatbots := d.readChatbots(r)
		d.set(func(e *webhook.Endpoint) { e.ChatbotIDs = chatbots })
	case "headers":
		d.readHeaders(r)
	case "payload":
		payload := cmp.Or(r.Choice([]string{webhook.PayloadFull, webhook.PayloadThin}), webhook.PayloadFull)
		d.set(func(e *webhook.Endpoint) { e.Payload = payload })
	case "rate":
		n := r.Integer(1, webhook.MaxRate)
		d.set(func(e *webhook.Endpoint) { e.Rate = n })
	case "maxInFlight":
		n := cmp.Or(r.Integer(1, webhook.MaxInFlight), webhook.DefaultInFlight)
		d.set(func(e *webhook.Endpoint) { e.MaxInFlight = n })
	case "timeoutSeconds":
		n := r.Integer(int(webhook.MinTimeout/time.Second), int(webhook.MaxTimeout/time.Second))
		d.set(func(e *webhook.Endpoint) { e.Timeout = cmp.Or(time.Duration(n)*time.Second, webhook.DefaultTimeout) })
	case "batch":
		change := readBatch(r)
		d.set(func(e *webhook.Endpoint) { e.Batch = change(e.Batch) })
	case "enabled":
		on := !r.Given() || r.Bool()
		d.set(func(e *webhook.Endpoint) { e.SetEnabled(on, d.now) })
	}
}

// defaultEventTypes is what an endpoint subscribes to when it does not say: everything.
func defaultEventTypes() []string { return slices.Sorted(slices.Values(webhook.EventGroups())) }

func readEventTypes(r *strictjson.Reader) []string {
	known := append(webhook.EventTypes(), webhook.EventGroups()...)
	rule := "Must be one of: " + strings.Join(known, ", ")
	types := r.List(len(known), func(_ int, text string) string {
		if slices.Contains(known, text) {
			return ""
		}
		return rule
	})
	if r.Empty() {
		r.Refuse("Must name at least one event type; null means the default")
	}
	if types == nil {
		return defaultEventTypes()
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// readChatbots reads ids of chatbots, which are still to be looked up; null is every chatbot.
func (d *edit) readChatbots(r *strictjson.Reader) (all []id.UUID) {
	r.List(webhook.MaxChatbots, func(at int, text string) string {
		c, err := id.Chatbot.Parse(text)
		if err != nil {
			return id.Chatbot.Rule()
		}
		d.chatbots = append(d.chatbots, listed{at, c})
		return ""
	})
	if r.Empty() {
		r.Refuse("Must name at least one chatbot; null means all chatbots")
	}
	for _, l := range d.chatbots {
		if !slices.Contains(all, l.chatbot) {
			all = append(all, l.chatbot)
		}
	}
	return all
}

func (d *edit) readHeaders(r *strictjson.Reader) {
	seen := map[string]bool{}
	members := r.Members(2*webhook.MaxHeaders, func(name, value string) string { // to take all away and set as many
		lower := strings.ToLower(name)
		if seen[lower] {
			return "Must be given only once: header names are case-insensitive"
		}
		seen[lower] = true
		if wrong := webhook.CheckHeaderName(name); wrong != "" {
			return wrong
		}
		return webhook.CheckHeaderValue(value)
	})
	given := r.Given()
	d.set(func(e *webhook.Endpoint) {
		if !given {
			e.Headers = nil
		}
		e.Headers = webhook.MergeHeaders(e.Headers, members)
	})
}

// checkChatbots adds a mistake for each chatbot the workspace does not have.
func (a *api) checkChatbots(ctx context.Context, p *tenant.Principal, r *strictjson.Reader, d *edit) error {
	if len(d.chatbots) == 0 {
		return nil
	}
	ids := make([]id.UUID, len(d.chatbots))
	for i, l := range d.chatbots {
		ids[i] = l.chatbot
	}
	missing, err := a.DB.MissingChatbots(ctx, p.WorkspaceID, ids)
	if err != nil {
		return err
	}
	for _, l := range d.chatbots {
		if slices.Contains(missing, l.chatbot) {
			r.Add(fault.Field{Field: "chatbotIds", Pointer: fmt.Sprintf("/chatbotIds/%d", l.at),
				Value: id.Chatbot.Format(l.chatbot), Message: "Must be the id of a chatbot in your workspace"})
		}
	}
	return nil
}
