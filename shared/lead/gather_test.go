package lead_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// gather gives a Gatherer what a test writes as name=text, name:=JSON or *=object, by FieldOf.
func gather(g *lead.Gatherer, given ...string) {
	for _, one := range given {
		name, text, _ := strings.Cut(one, "=")
		name, isJSON := strings.CutSuffix(name, ":")
		field, rank := lead.FieldOf(name)
		switch {
		case name == "*":
			g.Object("metadata", []byte(text))
		case field == "" && isJSON:
			g.MemberJSON(name, []byte(text))
		case field == "":
			g.Member(name, text)
		case isJSON:
			g.SetJSON(field, name, rank, []byte(text))
		default:
			g.Set(field, name, rank, text)
		}
	}
}

// shown is a draft in one line.
func shown(d lead.Draft) string {
	return strings.Join([]string{d.Name, d.Email, d.Phone, d.Source, d.Status, string(d.Metadata)}, "|")
}

const fullPhone = "+1 555 010 0122 ext. 1234, please call after 5pm"

func TestGatherer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 201)
	for _, tc := range []struct{ given, want, warned string }{
		{"email=a@example.com", "|a@example.com||api|new|{}", ""},
		{"email= A@Example.com ;name=Ann;phone=+1-555-0100;source=web;status=LOST;company=Acme",
			"Ann|A@Example.com|+1-555-0100|web|lost|{\"company\":\"Acme\"}", ""},
		{"email=\ufeffa@example.com\u200b;name=\u00a0Ann\r\n\tBaker\u200b;phone=\x00", "Ann Baker|a@example.com||api|new|{}", ""},
		{"email=mailto:a@example.com?subject=x;name= ", "|a@example.com||api|new|{}", ""},
		{"email=\"Ann B\" <a@example.com>", "Ann B|a@example.com||api|new|{}", ""},
		{"name=Eve;email=Ann <a@example.com>", `Eve|a@example.com||api|new|{"email":"Ann"}`, ""},
		{"email='a@example.com", "|a@example.com||api|new|{}", ""}, {"email=`a@example.com`", "|a@example.com||api|new|{}", ""},
		{"email=SMTP:a@example.com", "|a@example.com||api|new|{}", ""}, {"email=E-mail: a@example.com", "|a@example.com||api|new|{}", ""},
		{"email=o'a@example.com", "|o'a@example.com||api|new|{}", ""},
		{"email=a @ example.com", "|a@example.com||api|new|{}", ""},
		{"email=a@example.com, b@example.com", `|a@example.com||api|new|{"email":"a@example.com, b@example.com"}`, "email"},
		{"email=a@example.com (at work)", `|a@example.com||api|new|{"email":"a@example.com (at work)"}`, "email"},
		{"email=oops;work_email=a@example.com", `|a@example.com||api|new|{"email":"oops"}`, "email"},
		{"work_email=w@example.com;email=a@example.com", `|a@example.com||api|new|{"work_email":"w@example.com"}`, ""},
		{"email=a@example.com;email_confirm=A@example.com", "|a@example.com||api|new|{}", ""},
		{"email=a@example.com;Business Phone=2;Mobile=1;Home Phone=1", `|a@example.com|1|api|new|{"Business Phone":"2"}`, ""},
		{"email=a@example.com;SMS=yes;whatsapp=+1 555 0100", `|a@example.com|+1 555 0100|api|new|{"SMS":"yes"}`, ""},
		{"email=a@example.com;Vorname=Ann;Name=Baker", "Ann Baker|a@example.com||api|new|{}", ""},
		{"email=a@example.com;Ad=Ayşe;Soyad=Kaya", "Ayşe Kaya|a@example.com||api|new|{}", ""},
		{"email=a@example.com;ad=spring;last_name=Kaya", `Kaya|a@example.com||api|new|{"ad":"spring"}`, ""},
		{"email=a@example.com;nombre=Ana;apellidos=Ruiz", "Ana Ruiz|a@example.com||api|new|{}", ""},
		{"email=a@example.com;name=Ann Baker;first_name=ann", `Ann Baker|a@example.com||api|new|{"first_name":"ann"}`, ""},
		{"email=a@example.com;name=" + long, long[:200] + `|a@example.com||api|new|{"name":"` + long + `"}`, "name"},
		{"email=a@example.com;phone=" + fullPhone,
			`|a@example.com|+1 555 010 0122|api|new|{"phone":"` + fullPhone + `"}`, "phone"},
		{"email=a@example.com;phone=+९१ ९८७६५ ४३२१०" + strings.Repeat(", please", 9),
			`|a@example.com|+91 98765 43210|api|new|{"phone":"+९१ ९८७६५ ४३२१०` + strings.Repeat(", please", 9) + `"}`, "phone"},
		{"email=a@example.com;phone=" + strings.Repeat("please ", 9),
			`|a@example.com||api|new|{"phone":"` + strings.TrimSpace(strings.Repeat("please ", 9)) + `"}`, "phone"},
		{"email=a@example.com;status=Open - Not Contacted",
			`|a@example.com||api|new|{"status":"Open - Not Contacted"}`, "status"},
		{"email=a@example.com;source=" + long, "|a@example.com||" + long[:100] + `|new|{"source":"` + long + `"}`, "source"},
		{"email:=[\"a@example.com\"];name:={\"first\":\"Ann\",\"last\":\"Baker\"};phone:=15550100",
			"Ann Baker|a@example.com|15550100|api|new|{}", ""},
		{`email:={"value":"a@example.com"};phone:={"area":"555","phone":"0100"};name:=["Ann"]`,
			"Ann|a@example.com|555 0100|api|new|{}", ""},
		{`email=a@example.com;phone:=1.5550100e7;name:={"full":"Ann B"}`, "Ann B|a@example.com|15550100|api|new|{}", ""},
		{`email=a@example.com;name:={"a":1,"b":2}`, `|a@example.com||api|new|{"name":{"a":1,"b":2}}`, "name"},
		{`email=a@example.com;name:=true;phone:=["1","2"]`, `|a@example.com|1|api|new|{"name":true,"phone":["1","2"]}`,
			"name phone"},
		{"email=a@example.com;x:=null;y:=\"\";z:=[];note=a\x00b", `|a@example.com||api|new|{"z":[],"note":"a b"}`, ""},
		{`email=a@example.com;deep:=[[[[[[[[1]]]]]]]]`, `|a@example.com||api|new|{"deep":"[[[[[[[[1]]]]]]]]"}`, "deep"},
		{`email=a@example.com;twice:={"a":1,"a":2};nul:="\u0000x"`,
			`|a@example.com||api|new|{"twice":"{\"a\":1,\"a\":2}","nul":"x"}`, "twice"},
		{"email=a@example.com;a=1;a=2;*={ \"b\" : 1 }", `|a@example.com||api|new|{"a":"1","a 2":"2","b":1}`, ""},
		{"email=a@example.com;*={ \"b\" : 1 }", `|a@example.com||api|new|{ "b" : 1 }`, ""},
		{"email=a@example.com;*=[1]", `|a@example.com||api|new|{"metadata":[1]}`, "metadata"},
		{`email:={"value":"a@example.com","type":"work"};name:={"first":"Ann","last":"B","title":"Dr"}`,
			`Ann B|a@example.com||api|new|{"email":{"value":"a@example.com","type":"work"},"name":{"first":"Ann","last":"B","title":"Dr"}}`,
			"email name"},
		{"email=a@example.com;*=needs a call;x:=none;*=null", `|a@example.com||api|new|{"metadata":"needs a call","x":"none"}`,
			"metadata x"},
		{"email=a@example.com;phone:=none;*=\u200b;*=\"\"", `|a@example.com||api|new|{"phone":"none"}`, "phone phone"},
		{`email=a@example.com;*="a\q" or "b"`, `|a@example.com||api|new|{"metadata":"\"a\\q\" or \"b\""}`, "metadata"},
	} {
		t.Run(tc.given[:min(60, len(tc.given))], func(t *testing.T) {
			g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
			for range 2 { // the second after Reset
				gather(g, strings.Split(tc.given, ";")...)
				d, err := g.Draft()
				var warned []string
				for _, w := range g.Warnings() {
					warned = append(warned, w.Field)
				}
				if err != nil || shown(d) != tc.want || strings.Join(warned, " ") != tc.warned {
					t.Fatalf("%s:\n got %s, %v, warned of %q\nwant %s, warned of %q", tc.given, shown(d), err, warned, tc.want, tc.warned)
				}
				g.Reset()
			}
		})
	}
}

// An address that went through HTML is one still.
func TestAddressesInHTML(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"&lt;a@example.com&gt;": "|a@example.com", "Ann &lt;a@example.com&gt;": "Ann|a@example.com", "a&#64;example.com": "|a@example.com",
		"a&amp;b@example.com": "|a&b@example.com", "a&b@example.com": "|a&b@example.com", "&nbsp;a@example.com": "|a@example.com",
	} {
		g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
		g.Set(lead.FieldEmail, "email", 0, text)
		if d, err := g.Draft(); err != nil || d.Name+"|"+d.Email != want {
			t.Errorf("lead of %s = %s|%s, %v, want %s", text, d.Name, d.Email, err, want)
		}
	}
}

func TestGathererRefuses(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]lead.EmailError{
		"name=Ann": {}, "email= \u200b": {}, "email:=null": {},
		"your-email=ann":                   {Name: "your-email", Value: "ann"},
		"email=ann smith@example.com":      {Name: "email", Value: "ann smith@example.com"},
		"email=a;work email=b@example":     {Name: "email", Value: "a"},
		"email:=true":                      {},
		"email=Ann <a@example.com>, Bob c": {Name: "email", Value: "Ann <a@example.com>, Bob c"},
	} {
		t.Run(given, func(t *testing.T) {
			g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
			gather(g, strings.Split(given, ";")...)
			_, err := g.Draft()
			var wrong *lead.EmailError
			if !errors.As(err, &wrong) || *wrong != want || wrong.Missing() != (want.Name == "") {
				t.Errorf("%s = %+v, want %+v", given, err, want)
			}
		})
	}
}

// However much comes, metadata keep to their limit, what is reserved stays free, and the beginning is kept.
func TestGathererKeepsToLimits(t *testing.T) {
	t.Parallel()
	g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
	g.Reserve(100)
	gather(g, "email=a@example.com", "a=1", "long="+strings.Repeat("\"é", 20<<10), "b=2", `c:={"x":1}`)
	for range 300 {
		g.Member("many", "x")
	}
	g.Mark("_mark", []byte(`["kept"]`))
	d, err := g.Draft()
	var got map[string]any
	if err != nil || json.Unmarshal(d.Metadata, &got) != nil || len(d.Metadata) > lead.MaxMetadata ||
		len(d.Metadata) < lead.MaxMetadata-150 {
		t.Fatalf("metadata of %d bytes, %v, want at most %d", len(d.Metadata), err, lead.MaxMetadata)
	}
	if diff := cmp.Diff([]any{"kept"}, got["_mark"]); diff != "" || got["a"] != "1" ||
		!strings.HasPrefix(got["long"].(string), "\"é\"é") {
		t.Errorf("metadata = %.200s, want the mark and the beginning of what is long", d.Metadata)
	}
	if n := len(g.Warnings()); n != lead.MaxWarnings+1 {
		t.Errorf("%d warnings, want %d", n, lead.MaxWarnings+1)
	}
}

// FuzzGathererKeeps: what comes as a text, as JSON or as metadata is there, where its warning does not say otherwise.
func FuzzGathererKeeps(f *testing.F) {
	for _, text := range []string{"nvidia", "none", "null", "nul", `"a\q" or "b"`, `"\ud800"`, "\u200b", "\x00n", `""`, "{}", "[n]", "-",
		"true story", `{"a":1,"a":2}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if nothing := strings.TrimFunc(text, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.N) }); nothing == "" ||
			strings.TrimSpace(text) == "null" || text[0] == '{' || len(text) > 1000 {
			return
		}
		for _, give := range []func(g *lead.Gatherer){
			func(g *lead.Gatherer) { g.Object("metadata", []byte(text)) },
			func(g *lead.Gatherer) { g.MemberJSON("metadata", []byte(text)) },
			func(g *lead.Gatherer) { g.Member("metadata", text) },
		} {
			g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
			gather(g, "email=a@example.com")
			give(g)
			if d, err := g.Draft(); err != nil || !strings.Contains(string(d.Metadata), `"metadata":`) {
				t.Errorf("metadata of %q = %s, %v, warned of %+v, want it there", text, d.Metadata, err, g.Warnings())
			}
		}
	})
}

// FuzzGatherer: whatever comes, the draft is one that POST takes too.
func FuzzGatherer(f *testing.F) {
	f.Add("email", "a@example.com", "name", `{"first":"Ann"}`, `{"a":[1]}`)
	f.Add("work mail", "Ann <a@example.com>", "x", `"\u0000\ud800"`, `{"x":1,"x":2}`)
	f.Add("email", "a@example.com;b@example.com", "phone", `[[[[["1"]]]]]`, strings.Repeat("[", 20))
	f.Fuzz(func(t *testing.T, name, text, other, raw, object string) {
		g := lead.NewGatherer(tenant.Settings{}.WithDefaults().Rules())
		gather(g, name+"="+text, other+":="+raw, name+":="+raw, other+"="+text, "*="+object)
		d, err := g.Draft()
		if err != nil {
			return
		}
		body, err := json.Marshal(map[string]any{"email": d.Email, "name": d.Name, "phone": d.Phone, "source": d.Source,
			"status": d.Status, "metadata": json.RawMessage(d.Metadata)})
		if err != nil {
			t.Fatalf("metadata %q: %v", d.Metadata, err)
		}
		if posted, err := lead.Parse(body, tenant.Settings{}.WithDefaults().Rules()); err != nil || shown(posted)[:10] != shown(d)[:10] {
			t.Fatalf("POST of %s: %v", body, err)
		}
	})
}
