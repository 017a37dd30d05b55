package intake_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
)

// reserve puts a committed reservation into Redis, as one that came back with an older state of it.
func (b *bundle) reserve(t *testing.T, email string, holder id.UUID) {
	t.Helper()
	r := rdb.Reservation{Workspace: b.principal.WorkspaceID, UniqueKey: email, LeadID: holder}
	if _, err := rdb.Announce(t.Context(), b.Redis, []rdb.Reservation{r}, nil, nil); err != nil {
		t.Fatal(err)
	}
}

// reserved returns what Redis has of all emails.
func (b *bundle) reserved(t *testing.T) string {
	t.Helper()
	keys, err := b.Redis.Keys(t.Context(), "*:email:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, k := range keys {
		all = append(all, b.Redis.Get(t.Context(), k).Val())
	}
	return strings.Join(all, " ")
}

// giveUp are the ways in which a lead no longer has the email that a reservation in Redis still names it for: Redis has
// lost its last writes, or Postgres has.
var giveUp = map[string]func(*testing.T, *bundle, id.UUID){
	"deleted": func(t *testing.T, b *bundle, l id.UUID) {
		if _, err := b.db.DeleteLead(t.Context(), b.principal.WorkspaceID, l, noCheck); err != nil {
			t.Fatal(err)
		}
	},
	"erased": func(t *testing.T, b *bundle, l id.UUID) {
		if _, err := b.db.EraseLead(t.Context(), b.principal.WorkspaceID, l, pg.Erasure{}); err != nil {
			t.Fatal(err)
		}
	},
	"moved to another email": func(t *testing.T, b *bundle, l id.UUID) {
		if _, err := b.db.UpdateLead(t.Context(), b.principal.WorkspaceID, l, func(l *lead.Lead) error {
			l.Email = "moved-" + l.Email
			l.UniqueKey = l.Email
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	},
	"lost by a failover": func(t *testing.T, b *bundle, l id.UUID) {
		if _, err := b.db.ExecContext(t.Context(), `delete from leads where workspace_id = $1 and id = $2`,
			b.principal.WorkspaceID, l); err != nil {
			t.Fatal(err)
		}
	},
}

func noCheck(*lead.Lead) error { return nil }

// names reports whether a DUPLICATE_EMAIL names l.
func names(err error, l id.UUID) bool {
	return strings.Contains(fmt.Sprint(fault.From(err).Details), id.Lead.Format(l))
}

// A reservation of a lead that no longer has the email is no duplicate, whatever a request wants done with one; the new
// lead takes it over.
func TestStaleReservationIsNoDuplicate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, give := range giveUp {
		for _, on := range []lead.OnDuplicate{lead.RefuseDuplicate, lead.UpdateDuplicate, lead.ReturnDuplicate} {
			t.Run(name+", "+string(on), func(t *testing.T) {
				email := strings.ReplaceAll(name, " ", ".") + "." + string(on) + "@example.com"
				former := b.mustCreate(t, email)
				give(t, b, former.ID)
				b.reserve(t, email, former.ID)
				b.wantCreated(t, email, on, former.ID)
			})
		}
	}
	t.Run("never made", func(t *testing.T) {
		ahead := id.UUID{0x7f} // by a clock that is far ahead: newer than all leads to come
		b.reserve(t, "never@example.com", ahead)
		b.wantCreated(t, "never@example.com", lead.RefuseDuplicate, ahead)
	})
}

// wantCreated checks that a lead is created, that Redis names it instead of former, and that it is then a duplicate.
func (b *bundle) wantCreated(t *testing.T, email string, on lead.OnDuplicate, former id.UUID) {
	t.Helper()
	d := draft(email)
	r := intake.Request{Lead: intake.NewLead(b.principal, &d, id.UUID{}, id.UUID{}), Draft: d, OnDuplicate: on}
	r.Admission = b.Admit(t.Context(), b.principal, &r.Lead)
	out, err := b.Put(t.Context(), b.principal, r)
	if err != nil || out.Existing || out.Lead.ID != r.Lead.ID {
		t.Fatalf("Put(%s) = %+v, %v, want a new lead", email, out, err)
	}
	text := id.Prefix("").Format
	if got := b.reserved(t); !strings.Contains(got, "c"+text(out.Lead.ID)) || strings.Contains(got, text(former)) {
		t.Errorf("Redis has %s, want %s in place of %s", got, text(out.Lead.ID), text(former))
	}
	b.wantDuplicate(t, email, out.Lead.ID)
}

// Where another lead has the email, that one is named, and not the one that Redis knows.
func TestStaleReservationOfAnotherLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	holder := b.mustCreate(t, "a@example.com")
	b.reserve(t, "a@example.com", id.New())
	b.wantDuplicate(t, "a@example.com", holder.ID)
}

// Of many requests behind one stale reservation one makes the lead, and all others name it.
func TestStaleReservationManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.reserve(t, "one@example.com", id.New())
	var mu sync.Mutex
	var created []id.UUID
	var refused []error
	var posts sync.WaitGroup
	for range 200 {
		posts.Go(func() {
			l, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft("one@example.com")})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				created = append(created, l.ID)
			} else {
				refused = append(refused, err)
			}
		})
	}
	posts.Wait()
	if len(created) != 1 {
		t.Fatalf("%d leads were created, want 1; the first refusal: %v", len(created), refused[0])
	}
	for _, err := range refused {
		if !fault.Is(err, fault.Duplicate) || !names(err, created[0]) {
			t.Fatalf("Create = %v, want DUPLICATE_EMAIL that names %s", err, id.Lead.Format(created[0]))
		}
	}
}
