package tenants

import (
	"context"
	"reflect"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// CreateWorkspace creates a workspace for the operator, with the fields that UpdateLimits takes.
func (s Service) CreateWorkspace(ctx context.Context, body []byte) (tenant.Workspace, error) {
	now := s.now()
	w := tenant.Workspace{ID: id.New(), CreatedAt: now, UpdatedAt: now}
	if _, err := readLimits(body, &w, true); err != nil {
		return w, err
	}
	entry := s.entry(Operator(w.ID), tenant.WorkspaceCreated, id.Workspace.Format(w.ID), nil)
	return w, s.DB.CreateWorkspace(ctx, w, entry)
}

// UpdateLimits changes what the operator decides about a workspace, among it the ceilings of its own rate and burst.
// Gateways follow within a second.
func (s Service) UpdateLimits(ctx context.Context, workspace id.UUID, body []byte) (tenant.Workspace, error) {
	// a body that is not valid comes before an unknown workspace
	given, err := readLimits(body, &tenant.Workspace{}, false)
	if err != nil {
		return tenant.Workspace{}, err
	}
	var entry *tenant.AuditEntry
	if len(given) > 0 {
		entry = s.entry(Operator(workspace), tenant.WorkspaceUpdated, id.Workspace.Format(workspace), given)
	}
	return s.DB.UpdateWorkspace(ctx, workspace, func(w *tenant.Workspace) error {
		w.UpdatedAt = s.now()
		_, err := readLimits(body, w, false)
		return err
	}, entry)
}

// readLimits reads the operator's fields over w and returns them as the audit names them. 0 and [] mean the default;
// absent and null fields stay as they are.
func readLimits(body []byte, w *tenant.Workspace, create bool) (given map[string]any, err error) {
	given = map[string]any{}
	s := &w.Settings
	in := strictjson.NewReader(body, []string{"name", "rate", "burst", "statuses", "retrySchedule",
		"deliveryTargetMs"})
	for in.Next() {
		if !in.Given() {
			continue
		}
		switch in.Name() {
		case "name":
			w.Name = readName(in)
			given["name"] = w.Name
		case "rate":
			s.Rate = in.Integer(0, tenant.MaxRate)
			refuseInSandbox(in, w)
			given["rateCeiling"] = s.Rate
		case "burst":
			s.Burst = in.Integer(0, 10*tenant.MaxRate)
			refuseInSandbox(in, w)
			given["burstCeiling"] = s.Burst
		case "statuses":
			s.Statuses = readStatuses(in)
			given["statuses"] = s.Statuses
		case "retrySchedule":
			s.RetrySchedule = readSchedule(in)
			given["retrySchedule"] = s.RetrySchedule
		case "deliveryTargetMs":
			s.DeliveryTargetMS = readTarget(in)
			given["deliveryTargetMs"] = s.DeliveryTargetMS
		}
	}
	requireName(in, !create || given["name"] != nil)
	return given, in.Err()
}

// refuseInSandbox refuses a limit that a sandbox shares with its live workspace.
func refuseInSandbox(in *strictjson.Reader, w *tenant.Workspace) {
	if in.Given() && w.TestOf != (id.UUID{}) {
		in.Refuse("Must be set for the live workspace: its test data shares the limit")
	}
}

func readStatuses(in *strictjson.Reader) []string {
	statuses := in.Texts(tenant.MaxStatuses, tenant.MaxStatus)
	for i := range statuses {
		statuses[i] = strings.TrimSpace(statuses[i])
	}
	in.Add(tenant.Settings{Statuses: statuses}.Check()...)
	return statuses
}

func readSchedule(in *strictjson.Reader) []int {
	waits := in.Integers(tenant.MaxAttempts, 0, tenant.MaxWait)
	in.Add(tenant.Settings{RetrySchedule: waits}.Check()...)
	return waits
}

// readTarget reads what deliveries should take, of the operator, for whom 0 is no target.
func readTarget(in *strictjson.Reader) int {
	ms := in.Integer(0, tenant.MaxDeliveryTargetMS)
	in.Add(tenant.Settings{DeliveryTargetMS: ms}.Check()...)
	return ms
}

// UpdateSettings applies a merge patch (RFC 7396) to the settings that a workspace decides for itself. Gateways follow
// within a second. Uniqueness is decided when a lead is created, so another dedupe applies to leads created from now
// on.
func (s Service) UpdateSettings(ctx context.Context, by Actor, body []byte) (tenant.Workspace, error) {
	entry := s.entry(by, "", id.Workspace.Format(by.Workspace), nil)
	return s.DB.UpdateWorkspace(ctx, by.Workspace, func(w *tenant.Workspace) error {
		before := *w
		if err := readSettings(body, w); err != nil {
			return err
		}
		if !reflect.DeepEqual(before, *w) {
			w.UpdatedAt = entry.CreatedAt
			entry.Action, entry.Details = tenant.WorkspaceUpdated, changes(ViewWorkspace(before), ViewWorkspace(*w))
		}
		return nil
	}, entry)
}

// readSettings reads a merge patch over w. The operator's ceilings bound it, so it is read while w is locked.
func readSettings(body []byte, w *tenant.Workspace) error {
	s := &w.Settings
	ceiling := s.WithDefaults()
	in := strictjson.NewReader(body, []string{"name", "rate", "burst", "statuses", "dedupe", "identify", "defaultRegion",
		"allowedOrigins", "retrySchedule", "deliveryTargetMs"})
	for in.Next() {
		switch in.Name() {
		case "name":
			if name := readName(in); name != "" {
				w.Name = name
			}
		case "rate":
			s.OwnRate = in.Integer(1, ceiling.Rate)
			refuseInSandbox(in, w)
		case "burst":
			s.OwnBurst = in.Integer(1, ceiling.Burst)
			refuseInSandbox(in, w)
		case "statuses":
			s.Statuses = readStatuses(in)
			if in.Empty() {
				in.Refuse("Must list at least one status; null restores the defaults")
			}
		case "dedupe":
			s.Dedupe = tenant.Dedupe(in.Choice(names(tenant.Dedupes())))
			if s.Dedupe == tenant.DedupeWorkspace {
				s.Dedupe = "" // the default
			}
		case "identify":
			s.Identify = tenant.Identify(in.Choice(names(tenant.Identifies())))
			if s.Identify == tenant.IdentifyEmail {
				s.Identify = "" // the default
			}
		case "defaultRegion":
			s.DefaultRegion = readRegion(in)
		case "allowedOrigins":
			s.AllowedOrigins = in.Texts(tenant.MaxOrigins, fault.MaxValue)
			for _, problem := range tenant.CheckOrigins(s.AllowedOrigins) {
				problem.Field, problem.Pointer = "allowedOrigins", "/allowedOrigins"+problem.Pointer
				in.Add(problem)
			}
			if len(s.AllowedOrigins) == 0 {
				s.AllowedOrigins = nil
			}
		case "retrySchedule":
			s.RetrySchedule = readSchedule(in)
			if in.Empty() {
				in.Refuse("Must have at least one attempt; null restores the default schedule")
			}
		case "deliveryTargetMs":
			s.DeliveryTargetMS = in.Integer(tenant.MinDeliveryTargetMS, tenant.MaxDeliveryTargetMS)
		}
	}
	return in.Err()
}

// readRegion reads a country; null is none.
func readRegion(in *strictjson.Reader) string {
	const rule = "Must be a country in two letters (ISO 3166-1), such as SE or US"
	text, given := in.String(rule)
	text = strings.ToUpper(text)
	if given && !lead.IsRegion(text) {
		in.Refuse(rule)
		return ""
	}
	return text
}

// names are the texts of named strings.
func names[T ~string](all []T) []string {
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = string(v)
	}
	return texts
}

// changes are the settings in which a workspace differs from what it was, as they are now.
func changes(before, after WorkspaceView) map[string]any {
	changed := map[string]any{}
	was, is := reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range is.NumField() {
		name, value := is.Type().Field(i).Tag.Get("json"), is.Field(i).Interface()
		if name != "updatedAt" && !reflect.DeepEqual(was.Field(i).Interface(), value) {
			changed[name] = value
		}
	}
	return changed
}
