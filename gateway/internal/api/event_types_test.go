package api_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"leadgate/shared/webhook"
)

// TestEventTypesAreDocumented holds the event types of shared/webhook against the document and the guide: every list of
// event types has all of them and nothing else, and each has an example of what a receiver gets.
func TestEventTypesAreDocumented(t *testing.T) {
	t.Parallel()
	var document map[string]any
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	sent := append(webhook.EventTypes(), webhook.WebhookTest)
	slices.Sort(sent)
	webhooks, _ := document["webhooks"].(map[string]any)
	bodies := slices.Sorted(slices.Values(append(slices.Clone(sent), webhook.TypeBatch)))
	if diff := cmp.Diff(bodies, slices.Sorted(maps.Keys(webhooks))); diff != "" {
		t.Errorf("webhooks of openapi.json (-shared/webhook +openapi.json):\n%s", diff)
	}
	lists := eventTypeLists("", document)
	if len(lists) < 7 {
		t.Errorf("openapi.json has %d lists of event types, want at least 7: the test does not find them", len(lists))
	}
	for place, list := range lists {
		t.Run(strings.TrimPrefix(place, "/"), func(t *testing.T) {
			for _, want := range webhook.EventTypes() {
				if !slices.Contains(list, want) {
					t.Errorf("the list lacks %s", want)
				}
			}
			for _, got := range list {
				if !slices.Contains(sent, got) && !slices.Contains(webhook.EventGroups(), got) && got != "" {
					t.Errorf("the list has %s, which is no event type", got)
				}
			}
		})
	}
	guide, err := os.ReadFile("docs.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range sent {
		if !strings.Contains(string(guide), "<tr><td><code>"+want+"</code></td>") {
			t.Errorf("docs.html has no row for %s", want)
		}
	}
}

// eventTypeLists returns, by their place below node, the enums that have lead.created in them; null is "".
func eventTypeLists(place string, node any) map[string][]string {
	lists := map[string][]string{}
	switch node := node.(type) {
	case map[string]any:
		if values, _ := node["enum"].([]any); slices.Contains(values, any(webhook.LeadCreated)) {
			for _, v := range values {
				s, _ := v.(string)
				lists[place] = append(lists[place], s)
			}
		}
		for name, below := range node {
			maps.Copy(lists, eventTypeLists(place+"/"+name, below))
		}
	case []any:
		for i, below := range node {
			maps.Copy(lists, eventTypeLists(fmt.Sprintf("%s/%d", place, i), below))
		}
	}
	return lists
}
