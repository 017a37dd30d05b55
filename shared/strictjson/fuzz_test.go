package strictjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// Whatever comes, it is read or refused with a VALIDATION_ERROR that can be told; what is read, encoding/json reads
// too, without U+0000.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{`{}`, `{"free":{"a":[1,{"b":"\u0000"}]}}`, `{"name":"\ud800"}`, `{"free":{"a":1e999}}`,
		`{"tags":["a",1]}`,
		`{"free":{"a":{"b":{"c":{}}}}}`, `{"name":"a","name":"b"}`, `{"a~/b":1}`, `{}x`, "{\"\xff\":1}",
		`{"free":{"\\u0000":"\\\u0000"}}`, `{"count":-0}`,
		`{"members":{"a":"b","c":null,"d":1}}`, `{"waits":[0,-0,1e1]}`, `{"on":true}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := strictjson.NewReader([]byte(body), []string{"name", "tags", "free", "members", "waits", "on"})
		var name, free string
		var tags []string
		var members map[string]*string
		var waits []int
		var on bool
		for r.Next() {
			switch r.Name() {
			case "name":
				name = r.Text(10)
			case "tags":
				tags = r.Texts(3, 10)
			case "free":
				free = string(r.Object(1000, 4))
			case "members":
				members = r.Members(3, func(string, string) string { return "" })
			case "waits":
				waits = r.Integers(3, -5, 50)
			case "on":
				on = r.Bool()
			}
		}
		if err := r.Err(); err != nil {
			var told *fault.Error
			if !errors.As(err, &told) || told.Kind != fault.Validation {
				t.Fatalf("read(%q) = %v, want a VALIDATION_ERROR", body, err)
			}
			if _, err := json.Marshal(told.Details); err != nil {
				t.Fatalf("the mistakes of %q cannot be told: %v", body, err)
			}
			return
		}
		var want struct {
			Name    string
			Tags    []string
			Free    json.RawMessage
			Members map[string]*string
			Waits   []int
			On      bool
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatalf("read(%q) is accepted, but encoding/json says %v", body, err)
		}
		if name != want.Name || strings.Join(tags, "\n") != strings.Join(want.Tags, "\n") || free != string(want.Free) &&
			string(want.Free) != "null" {
			t.Errorf("read(%q) = %q %q %q, want %q %q %q", body, name, tags, free, want.Name, want.Tags, want.Free)
		}
		if diff := cmp.Diff(want.Members, members) + cmp.Diff(want.Waits, waits); diff != "" || on != want.On {
			t.Errorf("read(%q) = %v, want %v; members and waits (-want +got):\n%s", body, on, want.On, diff)
		}
		var any any
		dec := json.NewDecoder(strings.NewReader(free))
		dec.UseNumber()
		if free != "" && (dec.Decode(&any) != nil || holdsNUL(any) || !utf8.ValidString(free)) {
			t.Errorf("Object() = %q, which cannot be stored", free)
		}
	})
}

func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		for _, e := range v {
			if holdsNUL(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.ContainsRune(k, 0) || holdsNUL(e) {
				return true
			}
		}
	}
	return false
}
