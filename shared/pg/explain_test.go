package pg_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"leadgate/shared/pg"
)

// explainer has pools to one database whose statements' plans it collects, as the extension auto_explain reports them.
type explainer struct {
	generic *pg.DB // plans for any parameters, as Postgres soon does for a statement that stays prepared
	custom  *pg.DB // plans for the parameters, as Postgres does for all others
	silent  *pg.DB // reports nothing

	mu    sync.Mutex
	plans []plan
	texts []string // of plans, as they were reported
}

// plan is a node of a plan in the JSON format of explain. What it did is known of a measured one.
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Cost     float64 `json:"Total Cost"`
	Plans    []plan

	Loops    float64 `json:"Actual Loops"` // the rows below are of one
	Rows     float64 `json:"Actual Rows"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Unjoined float64 `json:"Rows Removed by Join Filter"`
	Lossy    float64 `json:"Rows Removed by Index Recheck"`
	Found    float64 `json:"Shared Hit Blocks"` // pages, of the nodes below too
	Read     float64 `json:"Shared Read Blocks"`
}

// rows returns how many rows a plan looked at, again and again where it did so.
func (p plan) rows() float64 {
	all := p.Loops * (p.Rows + p.Filtered + p.Unjoined + p.Lossy)
	for _, below := range p.Plans {
		all += below.rows()
	}
	return all
}

func newExplainer(t *testing.T, dsn string) *explainer {
	t.Helper()
	return openExplainer(t, dsn, "")
}

// newMeter returns an explainer that also says what each plan did.
func newMeter(t *testing.T, dsn string) *explainer {
	t.Helper()
	return openExplainer(t, dsn, "&auto_explain.log_analyze=on&auto_explain.log_buffers=on&auto_explain.log_timing=off")
}

func openExplainer(t *testing.T, dsn, more string) *explainer {
	t.Helper()
	x := &explainer{}
	more += "&session_preload_libraries=auto_explain"
	x.generic = x.open(t, dsn, more+"&plan_cache_mode=force_generic_plan")
	x.custom = x.open(t, dsn, more)
	x.silent = x.open(t, dsn, "")
	return x
}

func (x *explainer) open(t *testing.T, dsn, settings string) *pg.DB {
	t.Helper()
	db, err := pg.Open(dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if settings != "" {
		settings += "&" + url.Values{"auto_explain.log_min_duration": {"0"}, "auto_explain.log_format": {"json"},
			"auto_explain.log_level": {"notice"}}.Encode()
	}
	c, err := pq.NewConnector(dsn + "&binary_parameters=yes&timezone=UTC" + settings)
	if err != nil {
		t.Fatal(err)
	}
	db.Pool.DB = sqlx.NewDb(sql.OpenDB(pq.ConnectorWithNoticeHandler(c, x.notice)), "postgres")
	t.Cleanup(func() { db.Close() })
	if err := db.PingContext(t.Context()); err != nil {
		var pe *pq.Error
		if errors.As(err, &pe) && pe.Code == "58P01" { // undefined_file
			t.Skip("Postgres has no auto_explain: install its contrib package")
		}
		t.Fatal(err)
	}
	return db
}

// notice takes what auto_explain reports.
func (x *explainer) notice(n *pq.Error) {
	_, text, ok := strings.Cut(n.Message, "plan:\n")
	if !ok {
		return
	}
	var p struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		p.Plan = plan{Node: "Seq Scan", Relation: "leads"} // what cannot be read must not pass
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.plans, x.texts = append(x.plans, p.Plan), append(x.texts, text)
}

// mostCost is the cost that Postgres may expect here: one that expects more rows than there can be takes ways for many
// rows, and behind a pooler that leaves jit=off out it compiles the statement each time.
const mostCost = 15_000

// shape reduces the plans to what reads a growing table, one a line, without costs: how an index is read is up to
// Postgres. Reading a partition that is empty costs nothing, whichever way.
func (x *explainer) shape(t *testing.T, names map[string]string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.plans) == 0 {
		t.Fatal("no plan was reported")
	}
	lines := map[string]bool{}
	var walk func(p plan, table string)
	walk = func(p plan, table string) {
		if p.Relation != "" { // which an index scan below a bitmap scan does not tell
			table = names[p.Relation]
		}
		if slices.Contains(growing, table) {
			switch {
			case p.Index != "":
				lines["    "+table+" by "+names[p.Index]+"\n"] = true
			case strings.HasSuffix(p.Node, "Seq Scan"):
				t.Errorf("%s is read from end to end", p.Relation)
			}
		}
		for _, below := range p.Plans {
			walk(below, table)
		}
	}
	for _, p := range x.plans {
		walk(p, "")
		if p.Cost > mostCost {
			t.Errorf("Postgres expects a cost of %.0f, want %d at most", p.Cost, mostCost)
		}
	}
	if len(lines) == 0 {
		return "    reads no growing table\n"
	}
	return strings.Join(slices.Sorted(maps.Keys(lines)), "")
}
