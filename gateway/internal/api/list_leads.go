package api

import (
	"encoding/json"
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// listLeads answers the leads that the parameters pick, the newest first unless they say otherwise, each with its enrichment.
func (a *api) listLeads(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	q := params.leadFilter(p)
	q.Sort = params.sort()
	q.Limit, q.After = params.limit(), params.leadCursor(q.Sort)
	q.Scan, q.Facts = a.PageScan, true
	if err := params.err(); err != nil {
		return err
	}
	found, next, err := a.DB.FindLeads(r.Context(), p.WorkspaceID, q)
	if err != nil {
		return err
	}
	if len(found) == 0 && q.After == (pg.LeadKey{}) {
		if err := a.knowsChatbot(r, p, q.ChatbotID); err != nil {
			return err
		}
	}
	b := a.buffers.Get().(*[]byte)
	defer a.buffers.Put(b)
	list := append((*b)[:0], '[')
	for i := range found {
		if i > 0 {
			list = append(list, ',')
		}
		list = found[i].AppendJSON(list, true)
	}
	list = append(list, `],"nextCursor":`...)
	if cursor := formatCursor(q.Sort, next); cursor == "" {
		list = append(list, "null"...)
	} else {
		text, _ := json.Marshal(cursor) // a string always can be
		list = append(list, text...)
	}
	if cap(list) <= maxListBuffer {
		*b = list
	}
	return httpx.RawData(w, http.StatusOK, list)
}

// maxListBuffer is how large a buffer is kept for the next answer.
const maxListBuffer = 256 << 10

// knowsChatbot refuses a chatbot that the workspace never had: an empty answer would look like one about it. One that was deleted
// can still be asked about as long as it has leads.
func (a *api) knowsChatbot(r *http.Request, p *tenant.Principal, chatbot id.UUID) error {
	if chatbot == (id.UUID{}) {
		return nil
	}
	return a.Auth.Chatbot(r.Context(), p.WorkspaceID, chatbot)
}
