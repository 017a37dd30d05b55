package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Bounds of one batch of an import.
const (
	importRows     = 1000                   // that become leads in one commit
	importUpdates  = 200                    // the same where they may change leads: each is locked until the commit
	importWrites   = 5000                   // leads and their deliveries in one commit, for which others' posts may wait
	importBytes    = 1 << 20                // of the file
	importDelete   = 16 << 20               // bytes of the file that are imported before they are deleted
	importAnnounce = 500 * time.Millisecond // for Redis; leads that are not announced are found by the sweep
	importPause    = 5 * time.Second        // without announcements after Redis did not take one
)

// importer makes leads of the rows of a file, in batches. While one is committed the next is read.
//
//	file in Postgres --> read, check, build (one batch ahead) --> one commit: leads, report, position --> Redis: wake-ups
type importer struct {
	workspace, id id.UUID
	total         leadfile.Tally

	imp        leadfile.Import
	settings   tenant.Settings
	read       chan readBatch // nil: nothing is being read
	cancel     context.CancelFunc
	span       *trace.Span // of what this run does of it; ended with release
	deletedTo  int64       // the position before which the file is deleted
	quietUntil time.Time   // Redis is told nothing until then
}

func (p *Processor) newImport(key task.Key) work {
	return &importer{workspace: key.Workspace, id: key.Import}
}

// readBatch is a batch that was read, or why none could be.
type readBatch struct {
	pg.ImportBatch
	ends []int64 // where each of its Rows ends in the file
	err  error
}

func (j *importer) finish(context.Context) error { return nil }

func (j *importer) report() string {
	return fmt.Sprintf("%d rows, %d leads created", j.total.Rows, j.total.Created)
}

// begin goes on with the import where it stands; ok is false when there is nothing to do.
func (j *importer) begin(r *run) (ok bool, err error) {
	if j.imp, j.settings, ok, err = r.DB.BeginImport(r.abort, j.workspace, j.id); err != nil {
		return false, err
	}
	if !ok {
		j.deleteFile(r)
		return false, nil
	}
	j.deletedTo = j.imp.Position
	in := importReader{Processor: r.Processor, imp: j.imp, settings: j.settings, chatbots: map[id.UUID]bool{},
		odd: j.imp.Warnings}
	if in.rows, err = j.roundRows(r); err != nil {
		return false, err
	}
	j.span = r.Tracer.Continue(j.imp.Trace, "import leads", trace.Consumer)
	ctx, cancel := context.WithCancel(r.abort)
	j.cancel, j.read = cancel, make(chan readBatch)
	go in.run(ctx, j.read)
	return true, nil
}

// roundRows returns how many rows a commit has: fewer with more endpoints, each of which gets a delivery of each row.
// So a commit, for whose emails others have to wait, takes about a tenth of a second.
func (j *importer) roundRows(r *run) (int, error) {
	o, types := &j.imp.Options, []string{webhook.LeadCreated}
	most := importRows
	if o.OnDuplicate == lead.UpdateDuplicate {
		most, types = importUpdates, append(types, webhook.LeadUpdated)
	}
	if o.Quiet {
		return most, nil
	}
	endpoints, err := r.DB.SubscribedEndpoints(r.abort, j.workspace, types...)
	return min(most, importWrites/(1+endpoints)), err
}

// release ends the reading, and waits for it.
func (j *importer) release() {
	if j.read == nil {
		return
	}
	j.cancel()
	for range j.read {
	}
	j.read = nil
	j.endSpan()
}

func (j *importer) batch(r *run) (more bool, err error) {
	if j.read == nil {
		if ok, err := j.begin(r); err != nil || !ok {
			return false, err
		}
	}
	select {
	case <-r.accepting.Done():
		return true, nil
	case next, open := <-j.read:
		switch {
		case !open:
			return false, errors.New("reading ended early")
		case next.err != nil:
			return false, next.err
		}
		return j.store(r, next)
	}
}

// store commits a batch, and deletes what was imported of the file: now and then, and all of it in the end.
func (j *importer) store(r *run, next readBatch) (more bool, err error) {
	lost, err := j.commit(r, next)
	switch {
	case err != nil:
		return false, err
	case lost: // it was cancelled, or another worker goes on with it: begin again
		j.release()
		return true, nil
	case next.End != "":
		j.release()
		r.Log.Info("import ended", "workspace", id.Workspace.Format(j.workspace), "import", id.Import.Format(j.id),
			"state", string(next.End))
		j.deleteFile(r)
		return false, nil
	case next.To-j.deletedTo >= importDelete:
		j.deletedTo = next.To
		j.logDelete(r, r.DB.DeleteReadChunks(r.abort, j.workspace, j.id, next.To))
	}
	return true, nil
}

// deleteFile deletes the import's file. Where it fails, upkeep does it.
func (j *importer) deleteFile(r *run) {
	j.logDelete(r, r.DB.DeleteImportFile(r.abort, j.workspace, j.id))
}

func (j *importer) logDelete(r *run, err error) {
	if err != nil {
		r.Log.Warn("delete import file failed", "import", id.Import.Format(j.id), "error", err.Error())
	}
}

// commit writes a batch. When Postgres rejects a row for what is in it, commit halves the batch until only that row is
// left, and reports it. A batch that takes Postgres too long is halved as well, as is one with an email that another
// transaction has; one row that does is left to another run. What is rejected without any row ends the import.
func (j *importer) commit(r *run, next readBatch) (lost bool, err error) {
	from := j.span.Now()
	out, err := r.DB.ImportRows(trace.With(r.abort, j.span), &next.ImportBatch)
	j.traceCommit(from, len(next.Rows), err)
	switch {
	case err == nil:
		j.total.Rows += out.Tally.Rows
		j.total.Created += out.Tally.Created
		j.announce(r, out)
		return out.Lost, nil
	case r.abort.Err() != nil:
		return false, err
	case (errors.Is(err, pg.ErrStatementTimeout) || errors.Is(err, pg.ErrLockTimeout)) && len(next.Rows) > 1:
	case !errors.Is(err, pg.ErrRejected):
		return false, err
	case len(next.Rows) == 0:
		return j.fail(r, next, err)
	case len(next.Rows) == 1:
		row := &next.Rows[0]
		r.Log.Error("import row rejected", "import", id.Import.Format(j.id), "row", row.Number, "sqlstate", pg.SQLState(err))
		next.Mistakes = append(next.Mistakes, leadfile.Mistake{Row: row.Number, Code: string(fault.Internal), Field: "row",
			Message: "Could not be stored"})
		next.Rows, next.ends = nil, nil
		return j.commit(r, next)
	}
	first, second := next.halves()
	if lost, err = j.commit(r, first); err != nil || lost {
		return lost, err
	}
	return j.commit(r, second)
}

// fail ends an import of which Postgres rejects even what is no lead; it would do so for ever.
func (j *importer) fail(r *run, next readBatch, why error) (lost bool, err error) {
	r.Log.Error("import rejected", "import", id.Import.Format(j.id), "sqlstate", pg.SQLState(why))
	end := pg.ImportBatch{Workspace: next.Workspace, Import: next.Import, From: next.From, To: next.From,
		OnDuplicate: next.OnDuplicate, End: leadfile.Failed,
		Reason: "Rows after byte " + strconv.FormatInt(next.From, 10) + " of the file could not be stored"}
	if _, err := r.DB.ImportRows(r.abort, &end); err != nil {
		return false, errors.Join(why, err)
	}
	return true, nil // so that it begins again, and is found to have ended
}

// halves divides a batch by its rows. It does not matter with which half a row's mistake is reported: it goes with the
// rows after it.
func (n *readBatch) halves() (first, second readBatch) {
	half := len(n.Rows) / 2
	first, second = *n, *n
	first.Rows, second.Rows = n.Rows[:half], n.Rows[half:]
	first.ends, second.ends = n.ends[:half], n.ends[half:]
	first.To = first.ends[half-1]
	second.From = first.To
	last := n.Rows[half-1].Number
	first.Mistakes, second.Mistakes = nil, nil
	for _, m := range n.Mistakes {
		if m.Row < last {
			first.Mistakes = append(first.Mistakes, m)
		} else {
			second.Mistakes = append(second.Mistakes, m)
		}
	}
	first.End, first.Reason = "", ""
	return first, second
}

// announce wakes whoever has work now. Reservations are left out: a million of them would crowd Redis, and Postgres
// decides as well.
func (j *importer) announce(r *run, out pg.ImportResult) {
	now := r.Now()
	if now.Before(j.quietUntil) || len(out.Holders) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(r.abort, importAnnounce)
	defer cancel()
	if err := r.Waker.Wake(ctx, append(Drains(out.Wake), task.Enrich(j.workspace))); err != nil {
		j.quietUntil = now.Add(importPause)
		r.logWake(r.key, "wake", err)
	}
}
