package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/spectest"
)

// marker is in every thing that makers make: what has it was made by them.
const marker = "Nightjar"

// makers make one thing of each kind that a path or a query can name, as its owner does, and return its id.
// The kinds are called as the document calls the schemas of their ids, or the parameter where there is none.
func makers() map[string]func(*testing.T, *bundle, owner) string {
	return map[string]func(*testing.T, *bundle, owner) string{
		"LeadId": func(t *testing.T, b *bundle, c owner) string {
			return mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"name":"`+marker+`","email":"`+freshEmail()+`"}`))
		},
		"ChatbotId": func(t *testing.T, b *bundle, c owner) string {
			return mustID(t, b.send(t, c.secret, "POST", "/api/v1/chatbots", `{"name":"`+marker+`"}`))
		},
		"WebhookId": func(t *testing.T, b *bundle, c owner) string {
			return mustID(t, b.send(t, c.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/`+marker+
				`","timeoutSeconds":1}`))
		},
		"EventId":    func(t *testing.T, b *bundle, c owner) string { return mustFirst(t, b, c, "/api/v1/events") },
		"DeliveryId": func(t *testing.T, b *bundle, c owner) string { return mustFirst(t, b, c, "/api/v1/deliveries") },
		"ReplayId": func(t *testing.T, b *bundle, c owner) string {
			return mustID(t, b.send(t, c.secret, "POST", "/api/v1/replays", `{}`))
		},
		"ImportId": func(t *testing.T, b *bundle, c owner) string {
			body := spectest.Body{MediaType: "text/csv", Value: "email,name\n" + freshEmail() + "," + marker + "\n"}
			got := b.sendBody(t, c.secret, "POST", "/api/v1/imports", body)
			got.status = http.StatusCreated // it is 202
			return mustID(t, got)
		},
		"AuditId": func(t *testing.T, b *bundle, c owner) string {
			got := b.send(t, c.secret, "DELETE", "/api/v1/leads/"+makers()["LeadId"](t, b, c)+"?erase=true", "")
			got.status = http.StatusCreated // it is 200
			return mustID(t, got)
		},
		"KeyId": func(t *testing.T, b *bundle, c owner) string {
			return mustID(t, b.send(t, c.secret, "POST", "/api/v1/keys", `{"name":"`+marker+`"}`))
		},
		"ConsoleSessionId": func(t *testing.T, b *bundle, c owner) string {
			return mustID(t, b.send(t, c.secret, "POST", "/api/v1/console-sessions", `{"name":"`+marker+`"}`))
		},
		"SubmissionId": func(t *testing.T, b *bundle, c owner) string {
			return id.Submission.Format(b.mustSubmission(t, c, nil).ID)
		},
		"formKey": func(t *testing.T, b *bundle, c owner) string {
			made := b.send(t, c.secret, "POST", "/api/v1/keys", `{"name":"`+marker+
				`","kind":"publishable","form":{"origins":["*"]}}`)
			mustID(t, made)
			var k struct{ Key string }
			if err := json.Unmarshal(made.body.Data, &k); err != nil || k.Key == "" {
				t.Fatalf("POST keys = %s, want a publishable key", made.text)
			}
			return k.Key
		},
	}
}

func freshEmail() string { return id.New().String() + "@example.com" }

// mustFirst makes an endpoint and a lead, and returns the first of what came of that.
func mustFirst(t *testing.T, b *bundle, c owner, list string) string {
	t.Helper()
	makers()["WebhookId"](t, b, c)
	lead := makers()["LeadId"](t, b, c)
	got := b.send(t, c.secret, "GET", list+"?leadId="+lead, "")
	var all []struct{ ID string }
	if err := json.Unmarshal(got.body.Data, &all); err != nil || len(all) == 0 {
		t.Fatalf("GET %s = %d %s, want what came of the lead", list, got.status, got.text)
	}
	return all[0].ID
}

// mustPath fills a path with things that made has, or makes them. A parameter that nobody knows how to make fails the
// test: a new route is to be tried like all others.
func (b *bundle) mustPath(t *testing.T, o spectest.Operation, c owner, made map[string]string) string {
	t.Helper()
	path := o.Path
	for name, kind := range o.Parameters {
		if !strings.Contains(path, "{"+name+"}") {
			continue
		}
		path = strings.ReplaceAll(path, "{"+name+"}", b.mustThing(t, name, kind, c, made))
	}
	if strings.Contains(path, "{") {
		t.Fatalf("%s: a part of the path is not documented", path)
	}
	return path
}

func (b *bundle) mustThing(t *testing.T, name, kind string, c owner, made map[string]string) string {
	t.Helper()
	if kind == "" {
		kind = name
	}
	if known, ok := made[kind]; ok {
		return known
	}
	makeIt, ok := makers()[kind]
	if !ok {
		t.Fatalf("makers knows no %s: add how one is made", kind)
	}
	made[kind] = makeIt(t, b, c)
	return made[kind]
}

// Ids that stand in the document's examples, by the kind of thing they stand for.
var exampleIDs = map[string]string{"LeadId": "lead_01jhn3q8g2e5xv7k9m4t6w8y0z",
	"ChatbotId": "cb_01jhn3n5a7b9c1d3e5g7j9m1p3", "WebhookId": "we_01jhn3r6b1d3f5h7k9n1q3s5v7"}

// withThings is an example with the ids of real things.
func (b *bundle) withThings(t *testing.T, body spectest.Body, c owner, made map[string]string) spectest.Body {
	t.Helper()
	text, err := json.Marshal(body.Value)
	if err != nil {
		t.Fatal(err)
	}
	for kind, example := range exampleIDs {
		if bytes.Contains(text, []byte(example)) {
			text = bytes.ReplaceAll(text, []byte(example), []byte(b.mustThing(t, "", kind, c, made)))
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	body.Value = nil
	if err := dec.Decode(&body.Value); err != nil {
		t.Fatal(err)
	}
	return body
}

// sendBody is send of a body of any media type; a zero body is none.
func (b *bundle) sendBody(t *testing.T, secret, method, path string, body spectest.Body) answer {
	t.Helper()
	reader, media := encode(t, body)
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if strings.HasPrefix(path, "/f/") {
		req.Header.Set("Origin", "https://www.example.com")
	}
	return b.do(t, req)
}

// encode writes a value as its media type has it.
func encode(t testing.TB, body spectest.Body) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	fields, _ := body.Value.(map[string]any)
	switch body.MediaType {
	case "":
		return nil, ""
	case "application/x-www-form-urlencoded":
		values := url.Values{}
		for name, v := range fields {
			values.Set(name, fmt.Sprint(v))
		}
		b.WriteString(values.Encode())
	case "multipart/form-data":
		w := multipart.NewWriter(&b)
		for name, v := range fields {
			if err := w.WriteField(name, fmt.Sprint(v)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b, w.FormDataContentType()
	case "text/csv", "application/x-ndjson":
		b.WriteString(body.Value.(string))
	default:
		if err := json.NewEncoder(&b).Encode(body.Value); err != nil {
			t.Fatal(err)
		}
	}
	return &b, body.MediaType
}
