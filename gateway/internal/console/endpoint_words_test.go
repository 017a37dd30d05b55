package console_test

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"

	"leadgate/gateway/internal/console"
)

// Whatever state an endpoint is in, the page says it in a word and in a sentence.
func TestHealthInWords(t *testing.T) {
	t.Parallel()
	const at = `"2020-01-02T03:04:05Z"`
	for _, c := range []struct{ fields, word, sentence string }{
		{`"enabled":true,"health":{"state":"ok"}`, "Not used yet", "Nothing was sent to it yet."},
		{`"enabled":true,"health":{"state":"ok","lastSuccessAt":` + at + `}`, "Works", "It works: the last delivery arrived"},
		{`"enabled":true,"health":{"state":"ok","lastSuccessAt":` + at + `,"slowSince":` + at + `}`, "Slow",
			"more than 5 of 100 deliveries take longer than your target"},
		{`"enabled":true,"health":{"state":"ok","failures":2,"lastError":"timeout"}`, "Failed just now",
			"The last 2 attempts failed, because your server did not answer in time."},
		{`"enabled":true,"health":{"state":"failing","failingSince":` + at + `,"lastError":"dns: no such host"}`, "Fails",
			"because no host of this name was found (no such host)."},
		{`"enabled":true,"health":{"state":"open","failingSince":` + at + `,"nextProbeAt":` + at + `,"lastError":"status: 500"}`,
			"Fails", "because your server answered 500. So that it is not flooded, one delivery is tried"},
		{`"enabled":false,"disabledReason":"owner","disabledAt":` + at + `,"health":{"state":"disabled"}`, "Paused", "You paused it"},
		{`"enabled":false,"disabledReason":"gone","disabledAt":` + at + `,"health":{"state":"disabled"}`, "Stopped",
			"your server said that it wants nothing more."},
		{`"enabled":false,"disabledReason":"failing","disabledAt":` + at + `,"health":{"state":"disabled","lastError":"refused"}`,
			"Stopped", "because it had failed at every attempt for days: nothing listens at this address."},
	} {
		page, err := console.EndpointsPage(`[{"id":"we_1","url":"https://hooks.example.com/in",` + c.fields + `}]`)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, `">`+c.word+`</span>`) || !strings.Contains(page, c.sentence) {
			_, page, _ = strings.Cut(page, "<tbody>")
			t.Errorf("%s: want %q and %q in %s", c.fields, c.word, c.sentence, page)
		}
	}
}

// What the page of a new secret has to verify with is what the guide has, whose examples run.
func TestSnippetsAreTheGuides(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../api/docs.html")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("pages/endpoint-secret.html")
	if err != nil {
		t.Fatal(err)
	}
	text := html.UnescapeString(regexp.MustCompile(`</?i>`).ReplaceAllString(string(guide), ""))
	found := regexp.MustCompile(`(?s)<pre[^>]*>(.*?)</pre>`).FindAllStringSubmatch(string(page), -1)
	if len(found) != 3 {
		t.Fatalf("snippets = %d, want 3", len(found))
	}
	for _, snippet := range found {
		if !strings.Contains(text, html.UnescapeString(snippet[1])) {
			t.Errorf("the guide has not:\n%s", snippet[1])
		}
	}
}
