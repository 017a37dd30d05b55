package form_test

import (
	"testing"

	"leadgate/gateway/internal/form"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// What a key's form says goes before every guess, and a guess is made where what it says is not there.
func TestMapping(t *testing.T) {
	t.Parallel()
	const answers = `{"event":"x","form_response":{"answers":[{"type":"email","email":"kim@example.com","field":{"ref":"a"}},
		{"type":"text","text":"Kim","field":{"ref":"b"}},{"type":"email","email":"boss@example.com","field":{"ref":"c"}}]}}`
	for _, tc := range []struct {
		name              string
		fields            map[string][]string
		ignore            []string
		contentType, body string
		want              string
	}{
		{"a name", map[string][]string{"email": {"who"}, "phone": {"ring"}}, nil, urlencoded,
			"who=kim@example.com&ring=%2B1&mail=other@example.com", `|kim@example.com|+1|{"mail":"other@example.com"}`},
		{"a name with a dot", map[string][]string{"firstName": {"1.3"}, "email": {"2"}}, nil, jsonBody,
			`{"1.3":"Kim","2":"kim@example.com"}`, `Kim|kim@example.com||{}`},
		{"a path", map[string][]string{"email": {"payload.data.email"}}, nil, jsonBody,
			`{"payload":{"data":{"email":"kim@example.com","x":1}},"email":"other@example.com"}`,
			`|kim@example.com||{"email":"other@example.com","x":1}`},
		{"a path from inside", map[string][]string{"email": {"answers[type=email].email"}, "name": {"answers[type=text].text"}},
			[]string{"event"}, jsonBody, answers, `Kim|kim@example.com||{"email":"boss@example.com"}`},
		{"brackets", map[string][]string{"email": {"fields[e][value]"}, "metadata.plan": {"fields[p][value]"}}, nil, urlencoded,
			"fields[e][value]=kim@example.com&fields[p][value]=Pro&fields[p][id]=p", `|kim@example.com||{"plan":"Pro"}`},
		{"the first of several that is there", map[string][]string{"email": {"a", "b", "c"}}, nil, urlencoded,
			"a=&b=kim@example.com&c=other@example.com", `|kim@example.com||{"c":"other@example.com"}`},
		{"a question", map[string][]string{"metadata.budget": {"What is your budget?"}}, nil, jsonBody,
			`{"data":{"fields":[{"label":"Email","value":"kim@example.com"},{"label":"What is your budget?","value":"5000"}]}}`,
			`|kim@example.com||{"budget":"5000"}`},
		{"inside a text", map[string][]string{"email": {"raw.q4"}}, []string{"raw.slug"}, urlencoded,
			"raw=" + `{"q4":"kim@example.com","slug":"x","q5":"y"}`, `|kim@example.com||{"q5":"y"}`},
		{"a place in a list", map[string][]string{"email": {"rows[1]"}}, nil, jsonBody,
			`{"rows":["Kim","kim@example.com"]}`, `|kim@example.com||{"0":"Kim"}`},
		{"nothing of it is there", map[string][]string{"email": {"none"}, "name": {"none.at.all"}}, []string{"none"}, urlencoded,
			"email=kim@example.com&name=Kim", `Kim|kim@example.com||{}`},
		{"no address where it should be", map[string][]string{"email": {"id"}}, nil, urlencoded,
			"id=7&email=kim@example.com", `|kim@example.com||{"id":"7","_warnings":[{"field":"id",` +
				`"message":"Is not an email address: another field's is taken"}]}`},
		{"another thing around the person", nil, nil, jsonBody,
			`{"company":{"name":"Acme","contact":{"email":"kim@example.com","name":"Kim"}},"form":{"name":"F"}}`,
			`Kim|kim@example.com||{"company.name":"Acme","form":{"name":"F"}}`},
		{"what is not kept", nil, []string{"utm*", "deep.token", "IP"}, jsonBody,
			`{"email":"kim@example.com","utm_x":1,"utm_y":2,"deep":{"token":"t","rest":1},"ip":"192.0.2.1"}`,
			`|kim@example.com||{"rest":1}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := tenant.Form{Fields: tc.fields, Ignore: tc.ignore}.WithDefaults()
			if wrong := f.Check(); wrong != nil {
				t.Fatalf("Check() = %+v", wrong)
			}
			s, err := form.Read(tc.contentType, []byte(tc.body), f)
			if err != nil {
				t.Fatal(err)
			}
			var d lead.Draft
			if d, err = s.Lead(f, tenant.Settings{}.WithDefaults().Rules(), "", false); err != nil {
				t.Fatal(err)
			}
			if got := d.Name + "|" + d.Email + "|" + d.Phone + "|" + string(d.Metadata); got != tc.want {
				t.Errorf("%s = %s, want %s", tc.body, got, tc.want)
			}
		})
	}
}
