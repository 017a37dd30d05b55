package form_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/tenant"
)

// values is a lead as a person types it.
type values struct {
	name, email, phone string
	metadata           map[string]string
}

// typed makes a lead's values: some with what copying and keyboards leave around and in them.
func typed(r *rand.Rand) values {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	dress := func(text string) string {
		return pick("", " ", "\u00a0", "\ufeff", "\t") + text + pick("", "  ", "\u200b", "\n")
	}
	v := values{
		name: dress(pick("Ann", "José María", "李雷", "O'Brien", "Ann\tBaker", "Ann \"Annie\" Baker", "Zoë, Dr.", "")),
		email: dress(fmt.Sprintf("%s%d@%s", pick("ann", "Ann.Baker", "a+b", "ünal"), r.IntN(1000), pick("example.com",
			"EXAMPLE.com", "bücher.example"))),
		phone:    dress(pick("+1-555-0100", "(555) 0100", "+1 555 0100 x7", "")),
		metadata: map[string]string{},
	}
	for range r.IntN(4) {
		v.metadata[pick("company", "topic", "Größe", "utm_source", "note")] = pick("Acme", "a;b", "two\nlines", "=1+1", "\"q\"",
			"日本", "x,y")
	}
	return v
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wayIn makes a lead of values in one of the ways in.
type wayIn func(t *testing.T, v values) lead.Draft

func (v values) object(nested bool) map[string]any {
	all := map[string]any{"email": v.email, "name": v.name, "phone": v.phone}
	if nested {
		all["metadata"] = v.metadata
		return all
	}
	for name, text := range v.metadata {
		all[name] = text
	}
	return all
}

// row reads the only row of a file.
func row(t *testing.T, imp *leadfile.Import, text string) lead.Draft {
	t.Helper()
	r, err := leadfile.NewReader(strings.NewReader(text[imp.Position:]), imp, tenant.Settings{}.WithDefaults().Rules())
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Read()
	if err != nil || got.Wrong != nil {
		t.Fatalf("Read(%q) = %+v, %v", text, got.Wrong, err)
	}
	return got.Draft
}

var waysIn = map[string]wayIn{
	"POST": func(t *testing.T, v values) lead.Draft {
		d, err := lead.Parse(mustJSON(t, v.object(true)), tenant.Settings{}.WithDefaults().Rules())
		if err != nil {
			t.Fatal(err)
		}
		return d
	},
	"batch": func(t *testing.T, v values) lead.Draft {
		all, err := lead.ParseBatch(mustJSON(t, map[string]any{"leads": []any{v.object(true)}}), tenant.Settings{}.WithDefaults().Rules())
		if err != nil || all[0].Err != nil {
			t.Fatal(err, all)
		}
		return all[0].Draft
	},
	"form": func(t *testing.T, v values) lead.Draft {
		fields := []string{"E-Mail", v.email, "your-name", v.name, "Phone Number", v.phone}
		for _, name := range slices.Sorted(maps.Keys(v.metadata)) {
			fields = append(fields, name, v.metadata[name])
		}
		return mustLead(t, urlencoded, encoded(fields...), tenant.Form{}, "")
	},
	"form in JSON": func(t *testing.T, v values) lead.Draft {
		return mustLead(t, jsonBody, string(mustJSON(t, v.object(false))), tenant.Form{}, "")
	},
	"NDJSON": func(t *testing.T, v values) lead.Draft {
		return row(t, &leadfile.Import{Format: leadfile.NDJSON}, string(mustJSON(t, v.object(true)))+"\n")
	},
	"CSV": func(t *testing.T, v values) lead.Draft {
		head, cells := []string{"Email Address", "Full Name", "Tel"}, []string{v.email, v.name, v.phone}
		for _, name := range slices.Sorted(maps.Keys(v.metadata)) {
			head, cells = append(head, name), append(cells, v.metadata[name])
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll([][]string{head, cells}); err != nil {
			t.Fatal(err)
		}
		o, start, err := leadfile.ReadHeader(b.Bytes(), leadfile.Said{})
		if err != nil {
			t.Fatalf("ReadHeader(%q) = %v", b.String(), err)
		}
		return row(t, &leadfile.Import{Format: leadfile.CSV, Options: o, Position: start}, b.String())
	},
}

// Whichever way a lead comes in, the same is stored.
func TestWaysInStoreTheSame(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		v := typed(r)
		var want []any
		for _, way := range slices.Sorted(maps.Keys(waysIn)) {
			d := waysIn[way](t, v)
			var metadata map[string]any
			if err := json.Unmarshal(d.Metadata, &metadata); err != nil {
				t.Fatal(err)
			}
			got := []any{d.Name, d.Email, d.AddressKey, d.Phone, d.Status, metadata}
			if want == nil {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %+q by %s (-CSV +%s):\n%s", seed, v, way, way, diff)
			}
		}
	}
}
