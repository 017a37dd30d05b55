package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// chatbot is a chatbot as the API shows it.
type chatbot struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	WorkspaceID string `json:"workspaceId"`
	CreatedAt   string `json:"createdAt"`
}

func showChatbot(c tenant.Chatbot) chatbot {
	return chatbot{id.Chatbot.Format(c.ID), c.Name, id.Workspace.Format(c.WorkspaceID), stamp(c.CreatedAt)}
}

// readChatbotName reads the one field a chatbot has.
func readChatbotName(body []byte) (name string, err error) {
	in := strictjson.NewReader(body, []string{"name"})
	for in.Next() {
		name = readName(in)
	}
	return name, in.Err()
}

// createChatbot makes a chatbot; a gateway that was asked for it before may take a second to know it.
func (a *api) createChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	c := tenant.Chatbot{WorkspaceID: p.WorkspaceID, ID: id.New(), CreatedAt: a.now()}
	in := strictjson.NewReader(body, []string{"name"})
	given := false
	for in.Next() {
		c.Name, given = readName(in), true
	}
	if !given {
		in.Require("name", nameRule)
	}
	if err := in.Err(); err != nil {
		return err
	}
	shown := showChatbot(c)
	if err := a.DB.CreateChatbot(r.Context(), c, a.auditEntry(p, tenant.ChatbotCreated, shown.ID, nil)); err != nil {
		return err
	}
	httpx.AddLogField(r, "chatbot", shown.ID)
	locate(w, "/api/v1/chatbots/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// listChatbots answers the workspace's chatbots, oldest first.
func (a *api) listChatbots(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(c tenant.Chatbot) id.UUID { return c.ID }
	return list(id.Chatbot, a.DB.ListChatbots, showChatbot, idOf)(w, r, p)
}

func (a *api) getChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Chatbot, a.DB.GetChatbot, showChatbot)(w, r, p)
}

// updateChatbot gives a chatbot another name.
func (a *api) updateChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Chatbot)
	if err != nil {
		return err
	}
	c, err := a.DB.GetChatbot(r.Context(), p.WorkspaceID, wanted) // a wrong address is told before a wrong body
	if err != nil {
		return err
	}
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	name, err := readChatbotName(body)
	if err != nil {
		return err
	}
	if name != "" {
		note := a.auditEntry(p, tenant.ChatbotUpdated, id.Chatbot.Format(wanted), nil)
		if c, err = a.DB.RenameChatbot(r.Context(), p.WorkspaceID, wanted, name, note); err != nil {
			return err
		}
	}
	return httpx.Data(w, http.StatusOK, showChatbot(c))
}

// deleteChatbot removes a chatbot: its leads stay and keep its id, and within a second no new ones can be made for it.
func (a *api) deleteChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Chatbot)
	if err != nil {
		return err
	}
	name := id.Chatbot.Format(wanted)
	if err := a.DB.DeleteChatbot(r.Context(), p.WorkspaceID, wanted, a.auditEntry(p, tenant.ChatbotDeleted, name, nil)); err != nil {
		return err
	}
	httpx.AddLogField(r, "chatbot", name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
