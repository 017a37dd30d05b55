package admin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

// maxSearch is how long a text that workspaces are searched for may be.
const maxSearch = 200

// workspaceView is a workspace as JSON; its volume is read where "volume=true" asks for it.
type workspaceView struct {
	tenants.LimitsView
	Volume *volumeView `json:"volume,omitempty"`
}

type volumeView struct {
	ReceivedToday int     `json:"receivedToday"` // a day is of UTC
	Received30    int     `json:"received30Days"`
	Refused30     int     `json:"refused30Days"`   // invalid and such, without duplicates
	Limited30     int     `json:"limited30Days"`   // beyond a rate limit
	RateUsed      *int    `json:"rateUsedPercent"` // of the burst, now; null: Redis does not answer
	LastLeadAt    *string `json:"lastLeadAt"`      // null: it has no lead
}

// Used is the part of the rate that is used, as text.
func (v volumeView) Used() string {
	if v.RateUsed == nil {
		return "–"
	}
	return strconv.Itoa(*v.RateUsed) + " %"
}

// Busy is the colour of the part of the rate that is used, where it is known.
func (v volumeView) Busy() string {
	return level(float64(*v.RateUsed), 50, 95)
}

// LastLead is when the last lead came; "" of none.
func (v volumeView) LastLead() string {
	if v.LastLeadAt == nil {
		return ""
	}
	return *v.LastLeadAt
}

func viewVolume(v pg.Volume) *volumeView {
	view := &volumeView{ReceivedToday: v.Today, Received30: v.Month, Refused30: v.Refused, Limited30: v.Limited}
	if v.LastLeadAt != nil {
		at := stamp(*v.LastLeadAt)
		view.LastLeadAt = &at
	}
	return view
}

// find reads a page of the workspaces that have text in their names, or whose id it is, and how much they receive where
// that is asked for. It is one more than limit where another page follows.
func (s *server) find(r *http.Request, text string, volume bool) (found []workspaceView, limit int, err error) {
	after, limit, err := paging(r, id.Workspace)
	if err != nil {
		return nil, 0, err
	}
	if len(text) > maxSearch {
		return nil, 0, fault.InvalidField("q", fault.Truncate(text), "Must have at most 200 bytes")
	}
	var all []tenant.Workspace
	if ws, wrong := id.Workspace.Parse(text); wrong == nil {
		one, err := s.tenants.DB.GetWorkspace(r.Context(), ws)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, 0, err
		}
		if err == nil {
			all = append(all, one)
		}
	} else if all, err = s.tenants.DB.FindWorkspaces(r.Context(), text, after, limit+1); err != nil {
		return nil, 0, err
	}
	var volumes []*volumeView
	if volume {
		if volumes, err = s.volumes(r.Context(), all); err != nil {
			return nil, 0, err
		}
	}
	for i, w := range all {
		v := workspaceView{LimitsView: tenants.ViewLimits(w)}
		if volume {
			v.Volume = volumes[i]
		}
		found = append(found, v)
	}
	return found, limit, nil
}

// volumes are those of workspaces, in their order.
func (s *server) volumes(ctx context.Context, all []tenant.Workspace) ([]*volumeView, error) {
	ids, payers := make([]id.UUID, len(all)), make([]id.UUID, len(all))
	for i, w := range all {
		if ids[i], payers[i] = w.ID, w.ID; w.TestOf != (id.UUID{}) {
			payers[i] = w.TestOf
		}
	}
	counts, err := s.tenants.DB.Volumes(ctx, ids, s.tenants.Now())
	if err != nil {
		return nil, err
	}
	var used []time.Duration
	answers(func(limited context.Context) (err error) {
		used, err = rdb.RatesUsed(limited, s.redis, payers)
		return err
	})
	views := make([]*volumeView, len(all))
	for i, w := range all {
		views[i] = viewVolume(counts[w.ID])
		if used != nil {
			rate := w.Settings.WithDefaults().RateLimit()
			percent := min(100, int(100*used[i]/(rate.Interval*time.Duration(max(1, rate.Burst)))))
			views[i].RateUsed = &percent
		}
	}
	return views, nil
}

func (s *server) listWorkspaces(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if v := q.Get("volume"); v != "" && v != "true" && v != "false" {
		return fault.InvalidField("volume", fault.Truncate(v), "Must be true or false")
	}
	found, limit, err := s.find(r, strings.TrimSpace(q.Get("q")), q.Get("volume") == "true")
	if err != nil {
		return err
	}
	same := func(v workspaceView) workspaceView { return v }
	return list(w, found, limit, same, func(v workspaceView) string { return v.ID })
}

// createConsoleLink makes a link that signs one browser in to the console of a workspace, once.
func (s *server) createConsoleLink(w http.ResponseWriter, r *http.Request) error {
	ws, body, err := workspaceBody(w, r)
	if err != nil {
		return err
	}
	v, err := s.consoleLink(r, ws, body)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusCreated, v)
}

func (s *server) consoleLink(r *http.Request, ws id.UUID, body []byte) (v tenants.SessionView, err error) {
	in, err := tenants.ReadSession(body)
	if err != nil {
		return v, err
	}
	link, made, err := s.tenantsOf(r).CreateSessionLink(r.Context(), tenants.Console(ws), in)
	if err != nil {
		return v, err
	}
	return tenants.ViewSessionLink(made, cmp.Or(s.apiOrigin(r), httpx.ExampleOrigin), link), nil
}

// withCursor is the address of the next page of a list.
func withCursor(u *url.URL, cursor string) string {
	q := u.Query()
	q.Set("cursor", cursor)
	q.Del("done")
	return "?" + q.Encode()
}
