package api

import (
	"context"
	"net/http"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// exportPage is how many leads an export reads at a time.
const exportPage = 2000

// exportLeads streams the leads that the parameters pick and that exist now, the oldest first.
func (a *api) exportLeads(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if err := requireHTTP11(r); err != nil {
		return err
	}
	params := readParams(r)
	q, f := params.leadFilter(p), params.exportFormat()
	if err := params.err(); err != nil {
		return err
	}
	if err := a.knowsStatuses(r, p, q); err != nil {
		return err
	}
	q.Sort, q.Limit, q.Facts = pg.LeadSort{Ascending: true}, exportPage, f.name == "ndjson"
	q.State = &pg.ListState{}
	e := &export[lead.Lead]{api: a, r: r, p: p, noun: "leads", out: leadWriter(f), read: a.readLeads(r, p, q)}
	return e.answer(w, f)
}

// readLeads reads the leads of q that exist when the first page is read.
func (a *api) readLeads(r *http.Request, p *tenant.Principal, q pg.LeadQuery) func(context.Context) ([]lead.Lead, bool,
	error) {
	return func(ctx context.Context) (leads []lead.Lead, last bool, err error) {
		first := q.Last == (id.UUID{})
		if first {
			if q.Last, err = a.DB.NewestLead(ctx, p.WorkspaceID); err != nil {
				return nil, false, err
			}
		}
		if last = q.Last == (id.UUID{}); !last {
			if leads, q.After, err = a.DB.FindLeads(ctx, p.WorkspaceID, q); err != nil {
				return nil, false, err
			}
			last = q.After == pg.LeadKey{}
		}
		if first && last && len(leads) == 0 {
			err = a.knowsChatbot(r, p, q.ChatbotID)
		}
		return leads, last, err
	}
}

func leadWriter(f exportFormat) exportWriter[lead.Lead] {
	if f.name == "ndjson" { // as the list shows it
		return &ndjsonExport[lead.Lead]{append: func(dst []byte, l *lead.Lead) ([]byte, error) {
			return l.AppendJSON(dst, true), nil
		}}
	}
	const columns = "id,name,email,phone,source,status,chatbotId,createdAt,updatedAt,metadata"
	return newCSVExport(f.csv, columns, func(x *csvExport[lead.Lead], l *lead.Lead) []string {
		chatbot := ""
		if l.ChatbotID != (id.UUID{}) {
			chatbot = id.Chatbot.Format(l.ChatbotID)
		}
		return []string{
			id.Lead.Format(l.ID), x.cell(l.Name), x.cell(l.Email), x.cell(l.Phone), x.cell(l.Source), x.cell(l.Status),
			chatbot, stamp(l.CreatedAt), stamp(l.UpdatedAt), x.cell(string(l.Metadata)),
		}
	})
}
