package form_test

import (
	"fmt"
	"testing"

	"leadgate/shared/tenant"
)

// What an answer's kind is called is not its value where that is its label.
func TestKindOfAnAnswerIsNoValue(t *testing.T) {
	t.Parallel()
	const wpforms = `{"fields":{"0":{"name":"Name","value":"Ann Baker","id":"0","type":"name","first":"Ann","last":"Baker"},` +
		`"1":{"name":"E-mail","value":"ann@example.com","type":"email"}}}`
	if d := mustLead(t, jsonBody, wpforms, tenant.Form{}, ""); d.Name != "Ann Baker" || d.Email != "ann@example.com" {
		t.Errorf("%s = %q, %q, want Ann Baker", wpforms, d.Name, d.Email)
	}
	for _, kind := range []string{"name", "title", "label", "question", "key", "id", "Field", "type", "value", "text"} {
		body := fmt.Sprintf(`{"answers":[{%q:"Full name","type":%q,"value":"Ann Baker"},{"label":"Email","value":"ann@example.com"}]}`,
			kind, kind)
		if kind == "type" || kind == "value" || kind == "text" {
			body = fmt.Sprintf(`{"answers":[{"label":"Full name","type":%q,"value":"Ann Baker"},{"label":"Email","value":"ann@example.com"}]}`,
				kind)
		}
		if d := mustLead(t, jsonBody, body, tenant.Form{}, ""); d.Name != "Ann Baker" || d.Email != "ann@example.com" {
			t.Errorf("%s = %q, %q, want Ann Baker", body, d.Name, d.Email)
		}
	}
	const without = `{"answers":[{"label":"Full name","type":"string","string":"Ann Baker"},` +
		`{"label":"Where to?","type":"email","email":"ann@example.com"}]}`
	if d := mustLead(t, jsonBody, without, tenant.Form{}, ""); d.Name != "Ann Baker" || d.Email != "ann@example.com" {
		t.Errorf("%s = %q, %q, want Ann Baker", without, d.Name, d.Email)
	}
}
