package main

import (
	"context"
	"io"

	"leadgate/shared/client"
)

// leadExport reads GET /api/v1/leads/export into a file.
type leadExport struct {
	access `set:"scopes=leads:read"`
	exportFile

	Chatbot      string            `name:"chatbot" placeholder:"cb_..." help:"Only leads of this chatbot."`
	Status       string            `name:"status" help:"Only leads of this status, or of these: new,contacted."`
	Source       string            `name:"source" help:"Only leads of this source."`
	Email        string            `name:"email" help:"Only leads with this email."`
	Domain       string            `name:"domain" help:"Only leads whose email is at this domain."`
	Phone        string            `name:"phone" help:"Only leads with this phone, in any spelling, or its last digits."`
	CreatedFrom  string            `name:"created-from" placeholder:"TIME" help:"Only leads created then or later (RFC 3339), or that day (UTC) or later."`
	CreatedUntil string            `name:"created-until" placeholder:"TIME" help:"Only leads created before then, or to the end of that day."`
	UpdatedFrom  string            `name:"updated-from" placeholder:"TIME" help:"Only leads changed then or later."`
	UpdatedUntil string            `name:"updated-until" placeholder:"TIME" help:"Only leads changed before then, or to the end of that day."`
	Search       string            `name:"q" placeholder:"WORDS" help:"Only leads whose name, email or company has words that begin so, or with that phone, or at that @domain."`
	Deleted      bool              `name:"deleted" help:"Only deleted leads."`
	Metadata     map[string]string `name:"metadata" placeholder:"KEY=VALUE" help:"Only leads whose metadata has this; up to 5."`
}

// Check says everything that is wrong with what the API cannot say.
func (l *leadExport) Check() []error { return append(l.access.Check(), l.exportFile.Check()...) }

// run exports; how far the export is goes to says.
func (l *leadExport) run(ctx context.Context, waits client.Options, stdout, says io.Writer) error {
	api := l.client(waits)
	defer api.Close()
	leads, err := api.ExportLeads(ctx, l.options(), l.filter())
	if err != nil {
		return err
	}
	return l.write(leads, "leads", stdout, says)
}

func (l *leadExport) filter() client.LeadFilter {
	return client.LeadFilter{
		ChatbotID: l.Chatbot, Status: l.Status, Source: l.Source, Email: l.Email, Domain: l.Domain, Phone: l.Phone, Search: l.Search,
		Deleted: l.Deleted, Metadata: l.Metadata,
		CreatedFrom: l.CreatedFrom, CreatedUntil: l.CreatedUntil, UpdatedFrom: l.UpdatedFrom, UpdatedUntil: l.UpdatedUntil,
	}
}
