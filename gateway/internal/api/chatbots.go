package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

func (a *api) createChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	c, err := a.tenants.CreateChatbot(r.Context(), tenants.KeyOf(p), body)
	if err != nil {
		return err
	}
	shown := tenants.ViewChatbot(c)
	httpx.AddLogField(r, "chatbot", shown.ID)
	locate(w, "/api/v1/chatbots/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// listChatbots answers the workspace's chatbots, oldest first.
func (a *api) listChatbots(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(c tenant.Chatbot) id.UUID { return c.ID }
	return list(id.Chatbot, a.DB.ListChatbots, tenants.ViewChatbot, idOf)(w, r, p)
}

func (a *api) getChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Chatbot, a.DB.GetChatbot, tenants.ViewChatbot)(w, r, p)
}

// updateChatbot renames a chatbot.
func (a *api) updateChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	c, err := pathRecord(r, p, id.Chatbot, a.DB.GetChatbot) // an unknown chatbot comes before a body that is not valid
	if err != nil {
		return err
	}
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	if c, err = a.tenants.UpdateChatbot(r.Context(), tenants.KeyOf(p), c, body); err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewChatbot(c))
}

func (a *api) deleteChatbot(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Chatbot)
	if err != nil {
		return err
	}
	if err := a.tenants.DeleteChatbot(r.Context(), tenants.KeyOf(p), wanted); err != nil {
		return err
	}
	httpx.AddLogField(r, "chatbot", id.Chatbot.Format(wanted))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
