package form_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// However a body is made to be long, reading it takes little time, and the person in it is kept.
func TestLongBodies(t *testing.T) {
	t.Parallel()
	const email = `"email":"kim@example.com"`
	fill := func(part string) string { return strings.Repeat(part, (form.MaxBody-500)/len(part)) }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < form.MaxBody-500; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	mapped := tenant.Form{Fields: map[string][]string{}}
	for i := range 40 {
		mapped.Fields[fmt.Sprint("metadata.m", i)] = []string{fmt.Sprint("nothing", i), fmt.Sprint("none.of.this", i), "a[b=c].d"}
	}
	for name, body := range map[string][2]string{
		"a list of numbers":   {jsonBody, `{` + email + `,"a":[` + fill("1,") + `1],"name":"Kim"}`},
		"many members":        {jsonBody, `{` + email + `,"name":"Kim",` + numbered(`"f%d":1,`) + `"z":1}`},
		"many answers":        {jsonBody, `{` + email + `,"name":"Kim","a":[` + numbered(`{"label":"q%d","value":1},`) + `1]}`},
		"open brackets":       {jsonBody, `{` + email + `,"name":"Kim","a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`},
		"objects in objects":  {jsonBody, `{` + email + `,"name":"Kim","a":[` + fill(`{"a":{"a":{"a":{}}}},`) + `1]}`},
		"one name many times": {jsonBody, `{` + email + `,"name":"Kim",` + fill(`"a":1,`) + `"a":2}`},
		"JSON texts":          {jsonBody, `{` + email + `,"name":"Kim","a":[` + fill(`"{\"a\":[1,2]}",`) + `1]}`},
		"many pairs":          {urlencoded, "email=kim@example.com&name=Kim&" + fill("a=&b&")},
		"many brackets":       {urlencoded, "email=kim@example.com&name=Kim&" + fill("a[b][c][d][e][f][g][h]=1&")},
		"many lists":          {urlencoded, "email=kim@example.com&name=Kim&" + numbered("a[][%d]=1&")},
		"one long text":       {urlencoded, "email=kim@example.com&name=Kim&a=" + fill("%22%00")},
		"a long name":         {urlencoded, "email=kim@example.com&name=Kim&" + fill("a") + "=1"},
		"addresses":           {urlencoded, "email=kim@example.com&name=Kim&" + numbered("a%d=a@example.com,&")},
		"names of emails":     {urlencoded, "email=kim@example.com&name=Kim&" + numbered("email%%5B%d%%5D=x&")},
	} {
		t.Run(name, func(t *testing.T) {
			f := mapped.WithDefaults()
			began := time.Now()
			s, err := form.Read(body[0], []byte(body[1]), f)
			if err != nil {
				t.Fatal(err)
			}
			d, err := s.Lead(f, tenant.Settings{}.WithDefaults().Rules(), "", false)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			} else {
				t.Logf("%v", took)
			}
			if err != nil || d.Email != "kim@example.com" || d.Name != "Kim" || len(d.Metadata) > lead.MaxMetadata {
				t.Errorf("Lead() = %q, %q, %d bytes of metadata, %v", d.Name, d.Email, len(d.Metadata), err)
			}
			wantFields(t, s, len(body[1]))
		})
	}
}

// wantFields fails the test unless the fields that are kept of a long submission are JSON of at most 64 KiB, which says
// so where something was cut, and still has who sent it.
func wantFields(t *testing.T, s *form.Submission, size int) {
	t.Helper()
	fields := s.Fields()
	var kept map[string]any
	if err := json.Unmarshal(fields, &kept); err != nil || len(fields) > 64<<10 {
		t.Fatalf("Fields() = %d bytes, %v, want JSON of at most 64 KiB: %.300s", len(fields), err, fields)
	}
	if !strings.Contains(string(fields), `"kim@example.com"`) || kept["name"] != "Kim" {
		t.Errorf("Fields() = %.300s, want the email and the name as they came", fields)
	}
	if cut, _ := kept["_cut"].(string); cut == "" && len(fields) < size*2/3 {
		t.Errorf("Fields() = %d of %d bytes without a word that something was cut", len(fields), size)
	}
}
