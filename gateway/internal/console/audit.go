package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/tenant"
)

const auditPath = Root + "/audit"

func auditRoutes() []route {
	return []route{{"GET", auditPath, tenant.WorkspaceManage, showAudit, []string{"GET /api/v1/audit"}, nil}}
}

type auditEntry struct {
	ID, Action, Target, KeyID, CreatedAt string
	Details                              map[string]any
	Who, What, Whom, More, Href          string // in words; the page adds them
}

type auditPage struct {
	Entries []auditEntry
	Next    string
}

// auditMeanings says what was done, before the name of what it was done to.
var auditMeanings = map[string]string{
	tenant.KeyCreated: "made the key", tenant.KeyRotated: "made a successor of the key", tenant.KeyRevoked: "revoked the key",
	tenant.KeyUpdated: "changed the key", tenant.WorkspaceCreated: "made the workspace",
	tenant.WorkspaceUpdated: "changed the settings", tenant.WorkspaceSuspended: "suspended the workspace",
	tenant.WorkspaceResumed: "resumed the workspace", tenant.WorkspaceExported: "exported the workspace",
	tenant.ChatbotCreated: "made the chatbot",
	tenant.ChatbotUpdated: "renamed the chatbot", tenant.ChatbotDeleted: "deleted the chatbot",
	tenant.LeadErased: "erased the lead", tenant.SuppressionCreated: "suppressed an address",
	tenant.SuppressionDeleted: "let a suppressed address in again", tenant.SessionCreated: "signed in, or made a link to the console",
	tenant.SessionOpened: "signed in with a link", tenant.SessionEnded: "signed out",
}

// showAudit lists who changed what.
func showAudit(v *visit) error {
	var p auditPage
	next, err := v.list("/api/v1/audit", pick(v.r.URL.Query(), "cursor"), &p.Entries)
	if err != nil {
		return err
	}
	names, err := v.keyNames()
	if err != nil {
		return err
	}
	var bots []chatbot
	if _, err := v.list("/api/v1/chatbots", url.Values{"limit": {"100"}}, &bots); err != nil {
		return err
	}
	for _, b := range bots {
		names[b.ID] = b.Name
	}
	for i := range p.Entries {
		p.Entries[i].tell(names)
	}
	if next != "" {
		p.Next = "?" + url.Values{"cursor": {next}}.Encode()
	}
	return v.show("audit.html", "Audit", p)
}

// tell puts an entry into words. names are those of keys and chatbots by their ids.
func (e *auditEntry) tell(names map[string]string) {
	switch {
	case e.KeyID == "":
		e.Who = strings.TrimSpace("The operator " + text(e.Details["administrator"]))
	default:
		e.Who = "The key " + quote(orElse(names[e.KeyID], e.KeyID))
		if e.Details["consoleSession"] != nil && !strings.HasPrefix(e.Action, "console_session.") {
			e.Who = "Somebody in the console, signed in with the key " + quote(orElse(names[e.KeyID], e.KeyID)) + ","
		}
	}
	e.What = orElse(auditMeanings[e.Action], e.Action)
	kind, _, _ := strings.Cut(e.Action, ".")
	switch kind {
	case "key":
		e.Whom, e.Href = orElse(names[e.Target], e.Target), keysPath+"/"+e.Target
	case "chatbot":
		e.Whom = orElse(names[e.Target], orElse(text(e.Details["name"]), e.Target))
	case "lead":
		e.Whom = e.Target
	case "console_session":
		if link, _ := e.Details["link"].(bool); link {
			e.What = "made a link to the console"
		} else if e.Action == tenant.SessionCreated {
			e.What = "signed in to the console"
		}
		if n := e.Details["sessions"]; n != nil {
			e.What = "signed everybody out: " + text(n)
		}
	}
	e.More = details(e.Details)
}

// quote sets a name off from the sentence around it.
func quote(name string) string { return "“" + name + "”" }

// details says what an entry holds beside what it is about.
func details(all map[string]any) string {
	var parts []string
	for name, value := range all {
		if slices.Contains([]string{"administrator", "consoleSession", "link", "name", "sessions", "expiresAt"}, name) || value == nil || text(value) == "" {
			continue
		}
		parts = append(parts, name+": "+text(value))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// text writes a value of JSON for people.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, text(one))
		}
		return strings.Join(parts, ", ")
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprint(value)
}
