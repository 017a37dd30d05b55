package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
)

// erasing is an erasure under way.
type erasing struct {
	Erasure
	Erased
	workspace, lead id.UUID
	after           id.UUID // the last event of the batches before; zero: this is the first
	halted          bool    // a drain was halted
	suppressed      string  // the address that is suppressed, as everybody knows by now; "": none
}

// errAddressChanged makes an erasure that suppresses begin anew.
var errAddressChanged = fmt.Errorf("the lead has another address: %w", conn.ErrRetry)

// commitErasing runs a step of an erasure in a transaction.
func (db *DB) commitErasing(ctx context.Context, e *erasing,
	step func(*erasing, context.Context, *sqlx.Tx) (more bool, err error)) (more bool, err error) {
	err = conn.Retry(ctx, func() error {
		if err := db.suppressFirst(ctx, e); err != nil {
			return err
		}
		err := db.withPartitions(ctx, func() error {
			next := *e // a step that is rolled back counts nothing
			err := db.InTx(ctx, func(tx *sqlx.Tx) (err error) {
				more, err = step(&next, ctx, tx)
				return err
			})
			if err == nil {
				*e, e.Check = next, nil
			}
			return err
		})
		if errors.Is(err, errAddressChanged) {
			e.suppressed = ""
		}
		return err
	})
	return more, err
}

// suppressFirst suppresses the address of a lead that is there, and waits until everybody knows. So when the lead gives
// its address up, nobody is left who could take it.
func (db *DB) suppressFirst(ctx context.Context, e *erasing) error {
	if !e.Suppress || e.suppressed != "" {
		return nil
	}
	var address string
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		l, _, err := e.lock(ctx, tx)
		if err == nil {
			address = l.AddressKey()
			_, err = suppress(ctx, tx, e.workspace, address)
		}
		return err
	})
	if err == nil {
		e.Check, err = nil, db.awaitWriters(ctx)
	}
	if err == nil {
		e.suppressed = address
	}
	return err
}

// lock locks the lead that is to be erased.
func (e *erasing) lock(ctx context.Context, tx *sqlx.Tx) (l lead.Lead, now time.Time, err error) {
	which := anyLead
	if e.OnlyPurgeable {
		which = purgeableLead
	}
	l, now, err = lockLead(ctx, tx, e.workspace, e.lead, which)
	if err == nil && e.Check != nil {
		err = e.Check(&l)
	}
	if err == nil && e.suppressed != "" && l.AddressKey() != e.suppressed {
		err = errAddressChanged
	}
	return l, now, err
}

// step is one commit. It locks whatever can make another event of the lead, the row and then its enrichment, before it
// looks for events. Where those it finds are all, it ends the erasure.
func (e *erasing) step(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	l, now, err := e.lock(ctx, tx)
	if err != nil {
		return false, err
	}
	e.Lead, e.At = l, lead.NextUpdate(l.UpdatedAt, now)
	if more, err = e.batch(ctx, tx); err != nil {
		return false, err
	}
	if more && e.Job != nil {
		err = e.progress(ctx, tx)
	}
	if !more {
		err = e.end(ctx, tx)
	}
	return more, err
}
