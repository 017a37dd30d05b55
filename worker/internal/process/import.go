package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// Bounds of a round of an import.
const (
	importRows     = 1000                   // that become leads in one commit
	importUpdates  = 200                    // the same where they may change leads that are there: each is locked until the commit
	importBytes    = 1 << 20                // of the file
	importForget   = 16 << 20               // so much is worked on before it is deleted
	importAnnounce = 500 * time.Millisecond // for Redis; leads that nobody announces are found by the sweep
	importPause    = 5 * time.Second        // without announcements when Redis did not take one
)

// Import makes leads of the rows of a file, in rounds. While one is committed the next is read.
//
//	pieces in Postgres --> read, check, build (one round ahead) --> one commit: leads, report, counts, position --> Redis: wake-ups
func (p *Processor) Import(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	run := importRun{workspace: key.Workspace, id: key.Import}
	how, err := p.turn(ctx, key, t.ResultWriter().TaskID(), work{round: run.round, letGo: run.stop})
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	text := fmt.Sprintf("import %s: %d rows, %d leads created", id.Import.Format(key.Import), run.total.Rows, run.total.Created)
	switch how {
	case elsewhere:
		text = fmt.Sprintf("import %s: another task has it", id.Import.Format(key.Import))
	case yielded:
		text += ", more next turn"
	}
	t.ResultWriter().Write([]byte(text)) // only to be read by people
	return nil
}

// importRun is a turn's work on an import.
type importRun struct {
	workspace, id id.UUID
	total         leadfile.Tally

	imp      leadfile.Import
	settings tenant.Settings
	read     chan readRound // nil: nothing is being read
	cancel   context.CancelFunc
	kept     int64     // what is before is deleted from the file
	silent   time.Time // until then Redis is told nothing
}

// readRound is a round that was read, or why none could be.
type readRound struct {
	pg.ImportBatch
	ends []int64 // where each of its Rows ends in the file
	err  error
}

// begin takes the import up where it stands; ok is false when there is nothing to do.
func (r *importRun) begin(t *turn) (ok bool, err error) {
	if r.imp, r.settings, ok, err = t.DB.BeginImport(t.sending, r.workspace, r.id); err != nil {
		return false, err
	}
	if !ok {
		return false, r.forget(t, 0, true)
	}
	r.kept = r.imp.Position
	ctx, cancel := context.WithCancel(t.sending)
	r.cancel, r.read = cancel, make(chan readRound)
	in := importReader{Processor: t.Processor, imp: r.imp, settings: r.settings, chatbots: map[id.UUID]bool{}}
	go in.run(ctx, r.read)
	return true, nil
}

// stop ends the reading, and waits for it.
func (r *importRun) stop() {
	if r.read == nil {
		return
	}
	r.cancel()
	for range r.read {
	}
	r.read = nil
}

func (r *importRun) round(t *turn) (more bool, err error) {
	if r.read == nil {
		if ok, err := r.begin(t); err != nil || !ok {
			return false, err
		}
	}
	select {
	case <-t.taking.Done():
		return true, nil
	case next, open := <-r.read:
		switch {
		case !open:
			return false, errors.New("reading ended early")
		case next.err != nil:
			return false, next.err
		}
		lost, err := r.commit(t, next)
		if err != nil {
			return false, err
		}
		if lost { // it was cancelled, or another worker goes on with it: look again
			r.stop()
			return true, nil
		}
		if next.End != "" {
			r.stop()
			t.Log.Info("import ended", "workspace", id.Workspace.Format(r.workspace), "import", id.Import.Format(r.id), "state", string(next.End))
			return false, r.forget(t, next.To, true)
		}
		return true, r.forget(t, next.To, false)
	}
}

// forget deletes what was read of the file, now and then, and all of it in the end. What it cannot, upkeep does.
func (r *importRun) forget(t *turn, position int64, all bool) error {
	var err error
	switch {
	case all:
		err = t.DB.DeleteImportFile(t.sending, r.workspace, r.id)
	case position-r.kept >= importForget:
		r.kept = position
		err = t.DB.DeleteReadChunks(t.sending, r.workspace, r.id, position)
	}
	if err != nil {
		t.Log.Warn("a read file stays for now", "import", id.Import.Format(r.id), "error", err.Error())
	}
	return nil
}

// SQLSTATEs that say what to do about a round.
const (
	noPartition = "23514" // check_violation: a row that no partition takes
	tooLong     = "57014" // query_canceled: by the statement time-out, unless it was we
)

// commit writes a round; when Postgres refuses a row for what is in it, it halves the round until only that row is refused, and reported.
// A round that takes Postgres too long is halved as well; one row that does is for another turn. What is refused without any row ends the import.
func (r *importRun) commit(t *turn, next readRound) (lost bool, err error) {
	out, err := t.DB.ImportRows(t.sending, &next.ImportBatch)
	if pg.Code(err) == noPartition {
		if err = t.DB.EnsurePartitions(t.sending); err == nil {
			out, err = t.DB.ImportRows(t.sending, &next.ImportBatch)
		}
	}
	switch {
	case err == nil:
		r.count(out.Tally)
		r.announce(t, out)
		return out.Lost, nil
	case t.sending.Err() != nil || pg.Code(err) == "":
		return false, err
	case pg.Code(err) == tooLong && len(next.Rows) > 1:
	case fault.Is(err, fault.Unavailable):
		return false, err
	case len(next.Rows) == 0:
		return r.refused(t, next, err)
	case len(next.Rows) == 1:
		row := &next.Rows[0]
		t.Log.Error("row refused by Postgres", "import", id.Import.Format(r.id), "row", row.Number, "sqlstate", pg.Code(err))
		next.Mistakes = append(next.Mistakes, leadfile.Mistake{Row: row.Number, Code: string(fault.Internal), Field: "row", Message: "Could not be stored"})
		next.Rows, next.ends = nil, nil
		return r.commit(t, next)
	}
	first, second := next.halves()
	if lost, err = r.commit(t, first); err != nil || lost {
		return lost, err
	}
	return r.commit(t, second)
}

// refused ends an import of which Postgres refuses even what is no lead; it would for ever.
func (r *importRun) refused(t *turn, next readRound, why error) (lost bool, err error) {
	t.Log.Error("import refused by Postgres", "import", id.Import.Format(r.id), "sqlstate", pg.Code(why))
	end := pg.ImportBatch{Workspace: next.Workspace, Import: next.Import, From: next.From, To: next.From, OnDuplicate: next.OnDuplicate,
		End: leadfile.Failed, Reason: "Rows after octet " + strconv.FormatInt(next.From, 10) + " of the file could not be stored"}
	if _, err := t.DB.ImportRows(t.sending, &end); err != nil {
		return false, errors.Join(why, err)
	}
	return true, nil // so that it is looked at again, and found to have ended
}

// halves divides a round by its rows. Where a row's mistake is reported does not matter: it goes with the rows after it.
func (n *readRound) halves() (first, second readRound) {
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

func (r *importRun) count(t leadfile.Tally) {
	r.total.Rows += t.Rows
	r.total.Created += t.Created
}

// announce wakes who has work now. Reservations are left out: a million of them would crowd Redis, and Postgres decides as well.
func (r *importRun) announce(t *turn, out pg.ImportResult) {
	now := t.Now()
	if now.Before(r.silent) || len(out.Holders) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(t.sending, importAnnounce)
	defer cancel()
	if err := t.Waker.Wake(ctx, append(Drains(out.Wake), task.Enrich(r.workspace))); err != nil {
		r.silent = now.Add(importPause)
		t.lost("wake up", err)
	}
}
