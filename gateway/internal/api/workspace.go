package api

import (
	"cmp"
	"net/http"
	"reflect"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// workspace is a workspace as its own keys see it, its defaults filled in.
type workspace struct {
	ID             string        `json:"id"`
	Name           string        `json:"name"`
	Mode           tenant.Mode   `json:"mode"`
	Rate           int           `json:"rate"`
	Burst          int           `json:"burst"`
	RateCeiling    int           `json:"rateCeiling"` // the operator's
	BurstCeiling   int           `json:"burstCeiling"`
	Statuses       []string      `json:"statuses"`
	Dedupe         tenant.Dedupe `json:"dedupe"`
	AllowedOrigins []string      `json:"allowedOrigins"`
	RetrySchedule  []int         `json:"retrySchedule"` // seconds before each attempt
	CreatedAt      string        `json:"createdAt"`
	UpdatedAt      string        `json:"updatedAt"`
}

func showWorkspace(w tenant.Workspace) workspace {
	s := w.Settings.WithDefaults()
	perSecond, burst := s.RequestLimit()
	shown := workspace{
		ID: id.Workspace.Format(w.ID), Name: w.Name, Mode: tenant.ModeOf(w.TestOf != id.UUID{}),
		Rate: perSecond, Burst: burst, RateCeiling: s.Rate, BurstCeiling: s.Burst, Statuses: s.Statuses,
		Dedupe: cmp.Or(s.Dedupe, tenant.DedupeWorkspace), AllowedOrigins: append([]string{}, s.AllowedOrigins...), RetrySchedule: s.RetrySchedule,
		CreatedAt: stamp(w.CreatedAt), UpdatedAt: stamp(w.UpdatedAt),
	}
	if len(shown.RetrySchedule) == 0 {
		for _, wait := range webhook.DefaultSchedule() {
			shown.RetrySchedule = append(shown.RetrySchedule, int(wait/time.Second))
		}
	}
	return shown
}

// getWorkspace answers the workspace of the key: every key may know whose it is.
func (a *api) getWorkspace(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	found, err := a.DB.GetWorkspace(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showWorkspace(found))
}

var workspaceFields = []string{"name", "rate", "burst", "statuses", "dedupe", "allowedOrigins", "retrySchedule"}

// updateWorkspace changes the settings that are given, as a JSON merge patch (RFC 7396), and answers the workspace as it is then. Gateways
// follow within a second. What is unique is decided when a lead is made, so another dedupe is about the leads created from now on:
// those there are keep their emails as they had them.
func (a *api) updateWorkspace(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	now := a.now()
	note := a.auditEntry(p, "", id.Workspace.Format(p.WorkspaceID), nil)
	changed, err := a.DB.UpdateWorkspace(r.Context(), p.WorkspaceID, func(w *tenant.Workspace) error {
		before := *w
		if err := readSettings(body, w); err != nil {
			return err
		}
		if reflect.DeepEqual(before, *w) {
			return nil
		}
		w.UpdatedAt = now
		note.Action, note.Details = tenant.WorkspaceUpdated, changes(showWorkspace(before), showWorkspace(*w))
		return nil
	}, note)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showWorkspace(changed))
}

// readSettings reads a patch over w. What may be asked for depends on the operator's ceilings, so it is read where w cannot change.
func readSettings(body []byte, w *tenant.Workspace) error {
	s := &w.Settings
	ceiling := s.WithDefaults()
	in := strictjson.NewReader(body, workspaceFields)
	for in.Next() {
		switch in.Name() {
		case "name":
			if name := readName(in); name != "" {
				w.Name = name
			}
		case "rate":
			s.OwnRate = in.Integer(1, ceiling.Rate)
		case "burst":
			s.OwnBurst = in.Integer(1, ceiling.Burst)
		case "statuses":
			s.Statuses = in.Texts(tenant.MaxStatuses, tenant.MaxStatus)
			if in.Empty() {
				in.Refuse("Must list at least one status; null is the default ones")
			}
			in.Add(tenant.Settings{Statuses: s.Statuses}.Check()...)
		case "dedupe":
			s.Dedupe = tenant.Dedupe(in.Choice(dedupes()))
			if s.Dedupe == tenant.DedupeWorkspace {
				s.Dedupe = "" // the default
			}
		case "allowedOrigins":
			s.AllowedOrigins = in.Texts(tenant.MaxOrigins, fault.MaxValue)
			for _, wrong := range tenant.CheckOrigins(s.AllowedOrigins) {
				wrong.Field, wrong.Pointer = "allowedOrigins", "/allowedOrigins"+wrong.Pointer
				in.Add(wrong)
			}
			if len(s.AllowedOrigins) == 0 {
				s.AllowedOrigins = nil
			}
		case "retrySchedule":
			s.RetrySchedule = in.Integers(tenant.MaxAttempts, 0, tenant.MaxWait)
			if in.Empty() {
				in.Refuse("Must have at least one attempt; null is the default schedule")
			}
			in.Add(tenant.Settings{RetrySchedule: s.RetrySchedule}.Check()...)
		}
	}
	return in.Err()
}

func dedupes() (all []string) {
	for _, d := range tenant.Dedupes() {
		all = append(all, string(d))
	}
	return all
}

// changes are the settings in which a workspace differs from what it was, as they are now.
func changes(before, after workspace) map[string]any {
	changed := map[string]any{}
	was, is := reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range is.NumField() {
		if name := is.Type().Field(i).Tag.Get("json"); name != "updatedAt" && !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			changed[name] = is.Field(i).Interface()
		}
	}
	return changed
}
