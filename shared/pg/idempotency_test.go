package pg_test

import (
	"crypto/sha256"
	"sync"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

func claimOf(workspace id.UUID, key, request string) pg.Claim {
	return pg.Claim{Workspace: workspace, Key: sha256.Sum256([]byte(key)), Request: sha256.Sum256([]byte(request)), ID: id.New()}
}

func mustClaim(t *testing.T, db *pg.DB, claims ...pg.Claim) []pg.Claimed {
	t.Helper()
	out, err := db.ClaimAll(t.Context(), claims)
	if err != nil || len(out) != len(claims) {
		t.Fatalf("ClaimAll() = %d, %v, want %d", len(out), err, len(claims))
	}
	return out
}

func settled(c pg.Claim, at time.Time, status int, body string) pg.Settlement {
	return pg.Settlement{Workspace: c.Workspace, Key: c.Key, ID: c.ID, TakenAt: at, Status: status, Header: []byte(`{"Location":"/x\"\\"}`), Body: []byte(body)}
}

func TestClaimsAreTheFirsts(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	one, two := id.New(), id.New()
	first := claimOf(one, "k", "r")
	got := mustClaim(t, db, first, claimOf(one, "k", "r"), claimOf(two, "k", "r"), claimOf(one, "k", "other"))
	if !got[0].Mine || got[0].ID != first.ID || got[1].Mine || got[1].ID != first.ID || got[1].Stale || got[1].Status != 0 || !got[2].Mine || got[3].Mine || !got[3].Other {
		t.Fatalf("ClaimAll() = %+v, want the first, its repetition, another workspace's and another request", got)
	}
	body := "{\"a\":\"\\\\ \x00 é\"}\n"
	kept, err := db.SettleAll(t.Context(), []pg.Settlement{settled(first, got[0].TakenAt, 201, body), settled(first, got[0].TakenAt, 201, "second")})
	if err != nil || !kept[0] || kept[1] {
		t.Fatalf("SettleAll() = %v, %v, want the first kept and no other", kept, err)
	}
	if kept, err = db.SettleAll(t.Context(), []pg.Settlement{settled(first, got[0].TakenAt, 409, "late")}); err != nil || kept[0] {
		t.Errorf("SettleAll() later = %v, %v, want it not kept", kept, err)
	}
	again := mustClaim(t, db, claimOf(one, "k", "r"))[0]
	if again.Mine || again.Status != 201 || string(again.Body) != body || string(again.Header) != `{"Location":"/x\"\\"}` {
		t.Errorf("the answer = %+v, want the first, octet by octet", again)
	}
}

func TestOneTakesAStaleClaimOver(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	workspace := id.New()
	first := claimOf(workspace, "k", "r")
	begun := mustClaim(t, db, first)[0]
	if _, err := db.ExecContext(t.Context(), `update idempotency set taken_at = taken_at - interval '31 seconds'`); err != nil {
		t.Fatal(err)
	}
	const many = 8
	won := make([]time.Time, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			c := claimOf(workspace, "k", "r")
			stale := mustClaim(t, db, c)[0]
			if !stale.Stale {
				return // somebody has taken it over
			}
			at, ok, err := db.TakeOver(t.Context(), c, stale)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won[i] = at
			}
		})
	}
	wg.Wait()
	var winner time.Time
	for _, at := range won {
		if !at.IsZero() {
			if !winner.IsZero() {
				t.Fatal("two took one claim over")
			}
			winner = at
		}
	}
	if winner.IsZero() {
		t.Fatal("nobody took the claim over")
	}
	// Who had it first cannot give it back any more; who has it can, and then it is anybody's.
	for _, give := range []struct {
		at   time.Time
		want bool
	}{{begun.TakenAt, false}, {winner, true}} {
		if kept, err := db.SettleAll(t.Context(), []pg.Settlement{settled(first, give.at, 0, "")}); err != nil || kept[0] != give.want {
			t.Errorf("giving back = %v, %v, want %v", kept, err, give.want)
		}
	}
	if got := mustClaim(t, db, claimOf(workspace, "k", "r"))[0]; !got.Stale || got.ID != first.ID {
		t.Errorf("a claim that was given back = %+v, want it stale, with the first id", got)
	}
}

// A key is free after its day, also while nobody got round to deleting its answer, and it is the first's again.
func TestAnOldKeyIsFree(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	workspace := id.New()
	first := claimOf(workspace, "k", "r")
	begun := mustClaim(t, db, first)[0]
	if kept, err := db.SettleAll(t.Context(), []pg.Settlement{settled(first, begun.TakenAt, 201, "yesterday's")}); err != nil || !kept[0] {
		t.Fatalf("SettleAll() = %v, %v, want it kept", kept, err)
	}
	for _, c := range []struct {
		age  string
		free bool
	}{{"23 hours 59 minutes", false}, {"24 hours 1 minute", true}} {
		if _, err := db.ExecContext(t.Context(), `update idempotency set created_at = now() - cast($1 as interval)`, c.age); err != nil {
			t.Fatal(err)
		}
		next := claimOf(workspace, "k", "another request")
		got := mustClaim(t, db, next, claimOf(workspace, "k", "another request"))
		if got[0].Mine != c.free || got[0].Other == c.free || c.free && got[0].ID != next.ID || got[1].Mine {
			t.Errorf("a key of %s = %+v, want it free: %v, and once", c.age, got, c.free)
		}
		if !c.free {
			continue
		}
		if kept, err := db.SettleAll(t.Context(), []pg.Settlement{settled(first, begun.TakenAt, 201, "late")}); err != nil || kept[0] {
			t.Errorf("settling the old claim = %v, %v, want it refused", kept, err)
		}
		if kept, err := db.SettleAll(t.Context(), []pg.Settlement{settled(next, got[0].TakenAt, 201, "today's")}); err != nil || !kept[0] {
			t.Errorf("settling the new one = %v, %v, want it kept", kept, err)
		}
		if again := mustClaim(t, db, claimOf(workspace, "k", "another request"))[0]; string(again.Body) != "today's" {
			t.Errorf("the answer = %+v, want the new one", again)
		}
	}
}

// An answer that names a lead that was erased while it was made is not kept: nobody would come and erase it.
func TestAnAnswerOfAnErasedLeadIsNotKept(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	there, gone := b.mustLead("there@example.com"), b.mustLead("gone@example.com")
	if _, err := b.db.EraseLead(t.Context(), b.ws, gone.ID, pg.Erasure{}); err != nil {
		t.Fatal(err)
	}
	var all []pg.Settlement
	for name, leads := range map[string][]id.UUID{"none": nil, "there": {there.ID}, "gone": {there.ID, gone.ID}} {
		c := claimOf(b.ws, name, "r")
		s := settled(c, mustClaim(t, b.db, c)[0].TakenAt, 409, name)
		s.Leads = leads
		all = append(all, s)
	}
	kept, err := b.db.SettleAll(t.Context(), all)
	if err != nil || !kept[0] || !kept[1] || !kept[2] {
		t.Fatalf("SettleAll() = %v, %v, want all kept", kept, err)
	}
	for name, body := range map[string]string{"none": "none", "there": "there", "gone": ""} {
		if got := mustClaim(t, b.db, claimOf(b.ws, name, "r"))[0]; got.Status != 409 || string(got.Body) != body {
			t.Errorf("the answer %s = %+v, want status 409 and the body %q", name, got, body)
		}
	}
}
