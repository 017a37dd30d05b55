package admin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
)

// storesView is how the stores do, as JSON and for a page.
type storesView struct {
	Postgres storeView   `json:"postgres"`
	Redis    storeView   `json:"redis"`
	Tables   []tableView `json:"tables"` // the largest of Postgres
	Growth   growthView  `json:"growth"` // of Postgres
}

type storeView struct {
	Answers bool       `json:"answers"` // false: there are no facts
	Problem string     `json:"problem"` // why it does not do what is needed; "": it does
	Facts   []factView `json:"facts"`
}

// factView is one number or word, whether it is well, and what it means.
type factView struct {
	Name    string `json:"name"`
	Value   any    `json:"value"`
	Unit    string `json:"unit"`  // bytes, seconds, date, or none
	State   string `json:"state"` // good, warn, bad
	Meaning string `json:"meaning"`
}

type tableView struct {
	Name         string  `json:"name"`
	Bytes        int64   `json:"bytes"`
	Live         int64   `json:"liveRows"` // as Postgres estimates
	Dead         int64   `json:"deadRows"`
	LastVacuumed *string `json:"lastVacuumedAt"` // null: never
	State        string  `json:"state"`
}

// Vacuumed is when it was vacuumed last; "" when never.
func (t tableView) Vacuumed() string {
	if t.LastVacuumed == nil {
		return ""
	}
	return *t.LastVacuumed
}

var stateTags = map[string]tag{"good": {"good", "Fine"}, "warn": {"warn", "Look at it"}, "bad": {"bad", "Act now"}}

// Tag is the state in a word.
func (f factView) Tag() tag { return stateTags[f.State] }

// Tag is the state in a word.
func (t tableView) Tag() tag { return stateTags[t.State] }

// Duration shows a value that is seconds.
func (f factView) Duration() string {
	seconds, _ := f.Value.(float64)
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

// level is the state of a number of which more is worse.
func level(n, warn, bad float64) string {
	switch {
	case n >= bad:
		return "bad"
	case n >= warn:
		return "warn"
	}
	return "good"
}

func worseIf(wrong bool, state string) string {
	if wrong {
		return state
	}
	return "good"
}

// stores asks both stores, each for a short time of its own.
func (s *server) stores() (v storesView) {
	v.Tables, v.Postgres.Facts, v.Redis.Facts = []tableView{}, []factView{}, []factView{}
	var size int64
	v.Postgres.Answers = answers(func(limited context.Context) error {
		stats, err := s.tenants.DB.ReadStats(limited)
		if err == nil {
			size = stats.Bytes
			v.Postgres.Facts, v.Tables = postgresFacts(stats, s.tenants.Now()), tables(stats.Tables)
		}
		return err
	})
	v.Redis.Answers = answers(func(limited context.Context) error {
		v.Redis.Problem = problem(rdb.Ready(limited, s.redis))
		stats, err := rdb.ReadStats(limited, s.redis)
		if err == nil {
			v.Redis.Facts = redisFacts(stats)
		}
		return err
	})
	var measured []rdb.Size
	if v.Redis.Answers {
		answers(func(limited context.Context) (err error) {
			measured, err = rdb.Sizes(limited, s.redis)
			return err
		})
	}
	v.Growth = forecast(measured, size, s.disk, s.tenants.Now())
	return v
}

func postgresFacts(s pg.Stats, now time.Time) []factView {
	ahead := s.PartitionsUntil.Sub(now).Hours() / 24
	mode := "takes writes"
	if s.ReadOnly {
		mode = "is a standby"
	}
	return []factView{
		{"Size", s.Bytes, "bytes", "good", "All tables and indexes. Retention settings decide how long what is kept."},
		{"Oldest transaction", s.OldestTransaction.Seconds(), "seconds", level(s.OldestTransaction.Seconds(), 60, 600),
			"Seconds are well. One of minutes, such as a backup or a forgotten session, keeps dead rows, which slows deliveries."},
		{"Connections", strconv.Itoa(s.Connections) + " of " + strconv.Itoa(s.Most), "",
			level(float64(s.Connections)/float64(max(1, s.Most)), 0.8, 0.95),
			"Of all programs that use this server. When none is left, gateways and workers get no new one."},
		{"Partitions until", stamp(s.PartitionsUntil), "date", level(-ahead, -14, -7),
			"Rows of later weeks need a new one. A worker makes them four weeks ahead: when less is left, see whether one runs."},
		{"Role", mode, "", worseIf(s.ReadOnly, "bad"), "Leads can be written to a primary only."},
	}
}

func tables(all []pg.TableStats) (views []tableView) {
	for _, t := range all {
		v := tableView{Name: t.Name, Bytes: t.Bytes, Live: t.Live, Dead: t.Dead, State: "good"}
		if t.Dead > 100_000 { // less costs nothing, whatever its share
			v.State = level(float64(t.Dead)/float64(max(1, t.Live)), 0.3, 2)
		}
		if t.LastVacuumed != nil {
			at := stamp(*t.LastVacuumed)
			v.LastVacuumed = &at
		}
		views = append(views, v)
	}
	return views
}

// problem is what is wrong with Redis, as a sentence.
func problem(s rdb.State) string {
	switch {
	case s.OK():
		return ""
	case s.Mistake != "":
		return s.Mistake
	case s.Nodes > 1 && s.Down > 0:
		return fmt.Sprintf("%d of the %d masters of Redis do not answer.", s.Down, s.Nodes)
	}
	return "Redis does not answer in time."
}

func redisFacts(s rdb.Stats) []factView {
	share, most := 0.0, "No limit is set, so it may take what the machine has."
	if s.Max > 0 {
		share = float64(s.Memory) / float64(s.Max)
		most = "Its limit is " + strconv.FormatInt(s.Max>>20, 10) + " MiB."
	}
	persistence := "snapshots"
	if s.Append {
		persistence = "every write (AOF)"
	}
	spares := strings.HasPrefix(s.Policy, "volatile-") // what has no TTL, such as tasks
	return []factView{
		{"Memory", s.Memory, "bytes", level(share, 0.8, 0.95),
			most + " It grows with busy webhooks and a day's emails, some 215 bytes each."},
		{"When full", s.Policy, "", worseIf(s.Max > 0 && !spares, "warn"),
			"Set volatile-lru, or no limit: it throws only hints away. With noeviction a full Redis takes no tasks, and " +
				"webhooks wait; others throw tasks away."},
		{"Keys thrown away", s.Evicted, "", worseIf(s.Evicted > 0 && !spares, "warn"),
			"Since it started. Hints among them cost a look at Postgres each. Tasks, which only allkeys-… throws away, " +
				"are made again within seconds, so webhooks come later. No lead is lost."},
		{"Role", s.Role, "", worseIf(s.Role != "master", "bad"), "Gateways and workers write, so it must be a master."},
		{"Kept on disk", persistence, "", worseIf(s.SaveFailed, "warn"),
			"Nothing is lost without: what waits is in Postgres. A write to the disk that failed says that the disk is full."},
	}
}

func (s *server) showStores(w http.ResponseWriter, _ *http.Request) error {
	return httpx.Data(w, http.StatusOK, s.stores())
}

const storesPath = root + "stores"

func storesPage(v *visit) error { return v.show("stores.html", "Stores", v.stores()) }
