package verdict_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// sample is a submission of which it is known what it is. All are made up. wording.txt is learned from the templates in
// testdata, and the phrases of offers.txt were written by who wrote those: what TestCorpus prints says that nothing is
// broken, TestFolds and TestUnseen say how good it is.
type sample struct {
	in   *verdict.Input
	spam bool
	kind string
	way  string // how it came
}

// sizes of the corpus.
const (
	people      = 2000
	spamPerKind = 38
	probes      = 10 // of the kind that has nothing to tell it by
	seed        = 12
)

// corpus makes the samples.
type corpus struct {
	*rand.Rand
	spam, people, names map[string][]string
	forms               []formOf
	all                 []sample
	visitors            uint64
}

// formOf is a form of some site.
type formOf struct {
	workspace, form id.UUID
	fields          []string
	minFillMS       int
	script          bool // the page tells the time
	token           bool
	host            string
	offices         [5]uint64
}

// sections reads a file of templates by kind.
func sections(t testing.TB, file string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, section := range strings.Split("\n"+string(raw), "\n== ")[1:] {
		kind, body, _ := strings.Cut(section, "\n")
		split := "\n--\n"
		if file == "names.txt" {
			split = "\n"
		}
		for _, template := range strings.Split(strings.TrimSuffix(body, "\n"), split) {
			all[kind] = append(all[kind], strings.TrimSpace(template))
		}
	}
	return all
}

func newCorpus(t testing.TB) *corpus {
	c := &corpus{Rand: rand.New(rand.NewPCG(seed, seed)),
		spam: sections(t, "spam.txt"), people: sections(t, "people.txt"), names: sections(t, "names.txt")}
	shapes := [][]string{
		{"name", "email", "phone", "message"}, {"first_name", "last_name", "email", "message"},
		{"name", "email", "company", "website", "message"}, {"email", "message"}, {"name", "email", "subject", "message", "phone"},
		{"your-name", "your-email", "your-tel", "your-message"},
	}
	for i := range 18 {
		f := formOf{workspace: id.UUID{1, byte(i / 2)}, form: id.UUID{2, byte(i)}, fields: shapes[i%len(shapes)],
			script: i%5 < 3, token: i == 7 || i == 16, host: fmt.Sprintf("shop%d.example", i), minFillMS: []int{0, 2000, 0, 3000}[i%4]}
		for o := range f.offices {
			f.offices[o] = c.visitor()
		}
		c.forms = append(c.forms, f)
	}
	for _, kind := range slices.Sorted(mapsKeys(c.spam)) {
		n := spamPerKind
		switch {
		case kind == "price_probe":
			n = probes
		case strings.HasPrefix(kind, "random_"), kind == "visit_link":
			n = 2 * spamPerKind
		}
		for i := range n {
			c.addSpam(kind, i)
		}
	}
	kinds := slices.Sorted(mapsKeys(c.people))
	var templates [][2]int
	for k, kind := range kinds {
		for i := range c.people[kind] {
			templates = append(templates, [2]int{k, i})
		}
	}
	for i := range people {
		pick := templates[i%len(templates)]
		c.addPerson(kinds[pick[0]], pick[1])
	}
	slices.SortStableFunc(c.all, func(a, b sample) int { return a.in.Now.Compare(b.in.Now) })
	return c
}

func mapsKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (c *corpus) visitor() uint64 { c.visitors++; return c.visitors * 0x9E3779B97F4A7C15 }

func address(visitor uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, visitor), ^visitor)
}

func (c *corpus) chance(percent int) bool { return c.IntN(100) < percent }

func pick[T any](c *corpus, of ...T) T { return of[c.IntN(len(of))] }

// fill fills in a template: [a|b] is one of both, and {x} is something of that kind.
func (c *corpus) fill(template string, values map[string]string) string {
	var b strings.Builder
	for template != "" {
		i := strings.IndexAny(template, "[{")
		if i < 0 {
			break
		}
		closing := map[byte]string{'[': "]", '{': "}"}[template[i]]
		end := strings.Index(template[i:], closing)
		b.WriteString(template[:i])
		inside := template[i+1 : i+end]
		switch {
		case template[i] == '{':
			b.WriteString(c.slot(inside, values))
		case strings.Contains(inside, "|"):
			b.WriteString(c.fill(pick(c, strings.Split(inside, "|")...), values))
		default:
			b.WriteString("[" + c.fill(inside, values) + "]")
		}
		template = template[i+end+1:]
	}
	return b.String() + template
}

var (
	words = strings.Fields("harbor table green window copper lemon planet engine velvet river garden basket silver mountain candle " +
		"orange market pencil forest button winter bottle camera ladder pepper island saddle thunder meadow carpet anchor")
	cities = strings.Fields("Northfield Seeburg Villeneuve Castelnovo Zielonka Rivadella Ashford Brookside Lindau Porto-Novo")
	months = strings.Fields("March April May June July August September October")
)

func (c *corpus) slot(name string, values map[string]string) string {
	switch name {
	case "n":
		return fmt.Sprint(2 + c.IntN(9))
	case "price":
		return fmt.Sprint(50 * (1 + c.IntN(30)))
	case "city":
		return pick(c, cities...)
	case "month":
		return pick(c, months...)
	case "word":
		return pick(c, words...)
	case "phone":
		return fmt.Sprintf("+1 555 01%02d %03d", c.IntN(100), c.IntN(1000))
	case "ref":
		return fmt.Sprintf("%c%c-%05d", 'A'+c.IntN(26), 'A'+c.IntN(26), c.IntN(100000))
	case "link":
		return pick(c, "https://", "http://", "https://www.", "http://") + c.bare() +
			pick(c, "", "/", "/offer", "/?ref=k"+fmt.Sprint(c.IntN(1000)), "/"+pick(c, words...)+".html")
	case "bare":
		return c.bare()
	case "mail":
		return pick(c, words...) + fmt.Sprint(c.IntN(100)) + "@" + c.bare()
	case "noise":
		return c.noise()
	}
	if v, ok := values[name]; ok {
		return v
	}
	panic("no slot " + name)
}

func (c *corpus) bare() string {
	return pick(c, words...) + pick(c, "-", "") + pick(c, words...) + pick(c, ".example.com", ".example.net", ".example.org", ".example", ".test")
}

// noise is what robots type that fill in random letters.
func (c *corpus) noise() string {
	set := pick(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	b := make([]byte, 8+c.IntN(14))
	for i := range b {
		b[i] = set[c.IntN(len(set))]
	}
	return string(b)
}

var agents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
}

// new returns what all submissions have.
func (c *corpus) new(f formOf) *verdict.Input {
	return &verdict.Input{Workspace: f.workspace, Form: f.form, ElapsedMS: -1, MinFillMS: f.minFillMS, TokenRequired: f.token,
		Now:       time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.Int64N(int64(30 * 24 * time.Hour)))),
		UserAgent: pick(c, agents...), Address: address(c.visitor()),
		SuspectAt: tenant.DefaultSuspectAt, HoldAt: tenant.DefaultHoldAt}
}

// field returns a field of a form, and what it is of the lead.
func field(name, text string) verdict.Field {
	role := map[string]verdict.Role{"name": verdict.Name, "first_name": verdict.Name, "last_name": verdict.Name,
		"your-name": verdict.Name, "email": verdict.Email, "your-email": verdict.Email, "phone": verdict.Phone,
		"your-tel": verdict.Phone, "message": verdict.Message, "your-message": verdict.Message}[name]
	return verdict.Field{Name: name, Text: text, Role: role}
}
