package process

import (
	"context"
	"errors"
	"io"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// importReader reads batches of rows and makes leads of them.
type importReader struct {
	*Processor
	imp      leadfile.Import
	settings tenant.Settings
	rows     int              // of a batch, at most
	chatbots map[id.UUID]bool // those asked for so far, and whether they exist
	odd      int              // rows with an oddity so far
}

func (in *importReader) run(ctx context.Context, to chan<- readBatch) {
	defer close(to)
	send := func(next readBatch) bool {
		select {
		case to <- next:
			return next.err == nil && next.End == ""
		case <-ctx.Done():
			return false
		}
	}
	rows, err := leadfile.NewReader(in.DB.OpenImport(ctx, &in.imp), &in.imp, in.settings.Rules())
	if err != nil {
		send(readBatch{err: err})
		return
	}
	for at := in.imp.Position; ; {
		next := in.next(ctx, rows, at)
		at = next.To
		if !send(next) {
			return
		}
	}
}

// next reads the batch that begins at a position.
func (in *importReader) next(ctx context.Context, rows *leadfile.Reader, from int64) readBatch {
	o := &in.imp.Options
	next := readBatch{ImportBatch: pg.ImportBatch{Workspace: in.imp.WorkspaceID, Import: in.imp.ID, From: from,
		OnDuplicate: o.OnDuplicate, Quiet: o.Quiet}}
	var good []leadfile.Row
	for len(good)+len(next.Mistakes) < in.rows && rows.Offset()-from < importBytes {
		row, err := rows.Read()
		if errors.Is(err, leadfile.ErrBlank) { // the position moves all the same
			continue
		}
		if err != nil {
			if next.err = next.ended(err); next.err != nil {
				return next
			}
			break
		}
		if row.Wrong != nil {
			next.Mistakes = append(next.Mistakes, *row.Wrong)
			continue
		}
		good = append(good, row)
	}
	next.To = rows.Offset()
	next.err = in.build(ctx, &next, good)
	return next
}

// ended sets how the import ends when no row could be read.
func (n *readBatch) ended(err error) error {
	reason, broken := leadfile.Broken(err)
	switch {
	case broken:
		n.End, n.Reason = leadfile.Failed, reason
	case errors.Is(err, pg.ErrImportFileGone):
		n.End, n.Reason = leadfile.Failed, "The file no longer exists"
	case errors.Is(err, io.EOF):
		n.End = leadfile.Done
	default:
		return err
	}
	return nil
}

// build makes leads of the rows that may become some, and reports the others.
func (in *importReader) build(ctx context.Context, next *readBatch, good []leadfile.Row) error {
	if err := in.findChatbots(ctx, good); err != nil {
		return err
	}
	next.Rows = make([]pg.ImportRow, 0, len(good))
	next.ends = make([]int64, 0, len(good))
	for i := range good {
		row := &good[i]
		d := &row.Draft
		if (row.Chatbot != id.UUID{}) && !in.chatbots[row.Chatbot] {
			row.Warnings = append(row.Warnings, lead.Warning{Field: lead.FieldChatbot,
				Message: "Is left out: your workspace has no chatbot " + id.Chatbot.Format(row.Chatbot)})
			row.Chatbot = id.UUID{}
		}
		made := pg.ImportRow{Number: row.Number, Odd: in.oddity(row)}
		leadID := id.New()
		made.Lead = lead.New(d, lead.Origin{
			Workspace: in.imp.WorkspaceID, ID: leadID, Chatbot: row.Chatbot,
			UniqueKey: in.settings.UniqueKey(d.AddressKey, row.Chatbot, leadID),
		})
		if !next.Quiet {
			made.EventID = id.New()
		}
		if next.OnDuplicate == lead.UpdateDuplicate {
			made.Patch, made.Own = d.Patch(), row.Lead
		}
		next.Rows = append(next.Rows, made)
		next.ends = append(next.ends, row.End)
	}
	return nil
}

// oddity is what the report says of a row that is kept, of the first MaxOdd of them.
func (in *importReader) oddity(row *leadfile.Row) *leadfile.Mistake {
	if len(row.Warnings) == 0 {
		return nil
	}
	if in.odd++; in.odd > leadfile.MaxOdd {
		return &leadfile.Mistake{}
	}
	m := leadfile.Odd(row.Number, row.Warnings)
	return &m
}

// findChatbots asks which of the chatbots that rows name exist.
func (in *importReader) findChatbots(ctx context.Context, rows []leadfile.Row) error {
	var ask []id.UUID
	for i := range rows {
		bot := rows[i].Chatbot
		if _, known := in.chatbots[bot]; known || bot == (id.UUID{}) {
			continue
		}
		in.chatbots[bot] = true
		ask = append(ask, bot)
	}
	if len(ask) == 0 {
		return nil
	}
	missing, err := in.DB.MissingChatbots(ctx, in.imp.WorkspaceID, ask)
	for _, bot := range missing {
		in.chatbots[bot] = false
	}
	return err
}
