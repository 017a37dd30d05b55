package leadfile_test

import (
	"errors"
	"strings"
	"testing"

	"leadgate/shared/fault"
	"leadgate/shared/leadfile"
)

// JSON that is no NDJSON is told at once what would make it so; what costs a row is left to the row.
func TestCheckLines(t *testing.T) {
	t.Parallel()
	const ann, bob = `{"email":"ann@example.com"}`, `{"phone":"+15550100"}`
	for _, c := range []struct{ name, text, want string }{
		{"lines", ann + "\n" + bob + "\n", ""},
		{"an array", "[" + ann + "]", "jq -c '.[]'"},
		{"objects of several lines", "{\n  \"email\": \"ann@example.com\"\n}\n{\n  \"phone\": 1\n}\n", "several lines. jq -c . puts"},
		{"one that is longer than what is read", "{\n  \"email\": \"ann@example.com\",\n  \"tags\": [1,", "several lines"},
		{"a batch", `{"leads":[` + ann + `,` + bob + `]}`, "leads in \"leads\". jq -c '.leads[]'"},
		{"a batch of several lines", "{\n\"leads\": [\n" + ann + "\n]\n}\n", "jq -c '.leads[]'"},
		{"an answer", `{"success":true,"data":[` + ann + `],"nextCursor":null}`, "jq -c '.data[]'"},
		{"an answer of others", `{"results":[{"id":1,"properties":` + ann + `}],"paging":{}}`, "jq -c '.results[]'"},
		{"a long answer", `{"data":[` + strings.Repeat(ann+",", 100), "jq -c '.data[]'"},
		{"batches", `{"leads":[` + ann + `]}` + "\n" + `{"leads":[` + bob + `]}`, "jq -c '.leads[]'"},
		{"an odd row before others", `{"people":[` + ann + `]}` + "\n" + bob, ""},
		{"a lead with other people", `{"friends":[` + ann + `],"email":"bob@example.com"}`, ""},
		{"a list of no leads", `{"tags":[{"x":1}],"more":[]}`, ""},
		{"a broken row", `{"email":"ann@example.com"` + "\n" + bob, ""},
		{"a broken list", `{"leads":[tru` + "\n" + bob, ""},
		{"a text that is not closed", `{"email":"ann@example.com` + "\n" + bob, ""},
		{"nothing", " \n", "it is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := leadfile.CheckLines([]byte(c.text))
			var told string
			var f *fault.Error
			if errors.As(err, &f) {
				told = f.Fields()[0].Message
			}
			if (c.want == "") != (err == nil) || !strings.Contains(told, c.want) {
				t.Errorf("CheckLines(%.80q) = %q, want %q", c.text, told, c.want)
			}
		})
	}
}

// FuzzCheckLines: it ends, whatever comes.
func FuzzCheckLines(f *testing.F) {
	f.Add(`{"leads":[{"email":"ann@example.com"},tru`)
	f.Add("{\"a\":[}\n{\"b\":[{\"email\":1}]}")
	f.Fuzz(func(t *testing.T, text string) { leadfile.CheckLines([]byte(text)) })
}
