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

func requestOf(workspace id.UUID, key, request string) pg.IdempotentRequest {
	said := sha256.Sum256([]byte(request))
	return pg.IdempotentRequest{Workspace: workspace, Key: sha256.Sum256([]byte(key)), Request: said, Meaning: said,
		ID: id.New()}
}

func mustBegin(t *testing.T, db *pg.DB, requests ...pg.IdempotentRequest) []pg.IdempotencyEntry {
	t.Helper()
	out, err := db.BeginIdempotent(t.Context(), requests)
	if err != nil || len(out) != len(requests) {
		t.Fatalf("BeginIdempotent() = %d, %v, want %d", len(out), err, len(requests))
	}
	return out
}

func answerOf(c pg.IdempotentRequest, at time.Time, status int, body string) pg.IdempotentAnswer {
	return pg.IdempotentAnswer{Workspace: c.Workspace, Key: c.Key, ID: c.ID, AcquiredAt: at, Status: status,
		Header: []byte(`{"Location":"/x\"\\"}`), Body: []byte(body)}
}

func TestAKeyIsOfItsFirstRequest(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	one, two := id.New(), id.New()
	first := requestOf(one, "k", "r")
	got := mustBegin(t, db, first, requestOf(one, "k", "r"), requestOf(two, "k", "r"), requestOf(one, "k", "other"))
	if !got[0].Acquired || got[0].ID != first.ID || got[1].Acquired || got[1].ID != first.ID || got[1].Expired ||
		got[1].Status != 0 || !got[2].Acquired || got[3].Acquired || !got[3].Mismatch {
		t.Fatalf("BeginIdempotent() = %+v, want the first, its repetition, another workspace's and another request", got)
	}
	body := "{\"a\":\"\\\\ \x00 é\"}\n"
	kept, err := db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answerOf(first, got[0].AcquiredAt, 201, body),
		answerOf(first, got[0].AcquiredAt, 201, "second")})
	if err != nil || !kept[0] || kept[1] {
		t.Fatalf("CompleteIdempotent() = %v, %v, want the first kept and no other", kept, err)
	}
	if kept, err = db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answerOf(first, got[0].AcquiredAt, 409,
		"late")}); err != nil || kept[0] {
		t.Errorf("CompleteIdempotent() later = %v, %v, want it not kept", kept, err)
	}
	again := mustBegin(t, db, requestOf(one, "k", "r"))[0]
	if again.Acquired || again.Status != 201 || string(again.Body) != body ||
		string(again.Header) != `{"Location":"/x\"\\"}` {
		t.Errorf("the answer = %+v, want the first, byte for byte", again)
	}
}

func TestOneRequestReclaimsAnExpiredKey(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	db := pgtest.New(t)
	workspace := id.New()
	first := requestOf(workspace, "k", "r")
	begun := mustBegin(t, db, first)[0]
	if _, err := db.ExecContext(t.Context(),
		`update idempotency set taken_at = taken_at - interval '31 seconds'`); err != nil {
		t.Fatal(err)
	}
	const many = 8
	won := make([]time.Time, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			c := requestOf(workspace, "k", "r")
			expired := mustBegin(t, db, c)[0]
			if !expired.Expired {
				return // another request reclaimed it
			}
			at, ok, err := db.ReclaimIdempotent(t.Context(), c, expired)
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
				t.Fatal("two requests reclaimed one key")
			}
			winner = at
		}
	}
	if winner.IsZero() {
		t.Fatal("no request reclaimed the key")
	}
	// Who had it first cannot give it back any more; who has it can, and then it is anybody's.
	for _, give := range []struct {
		at   time.Time
		want bool
	}{{begun.AcquiredAt, false}, {winner, true}} {
		if kept, err := db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answerOf(first, give.at, 0,
			"")}); err != nil || kept[0] != give.want {
			t.Errorf("giving back = %v, %v, want %v", kept, err, give.want)
		}
	}
	if got := mustBegin(t, db, requestOf(workspace, "k", "r"))[0]; !got.Expired || got.ID != first.ID {
		t.Errorf("a key that was given back = %+v, want it expired, with the first id", got)
	}
}

// A key is free after its day, also while nobody got round to deleting its answer, and it is the first's again.
func TestAKeyIsFreeAfterItsDay(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	workspace := id.New()
	first := requestOf(workspace, "k", "r")
	begun := mustBegin(t, db, first)[0]
	if kept, err := db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answerOf(first, begun.AcquiredAt, 201,
		"yesterday's")}); err != nil || !kept[0] {
		t.Fatalf("CompleteIdempotent() = %v, %v, want it kept", kept, err)
	}
	for _, c := range []struct {
		age  string
		free bool
	}{{"23 hours 59 minutes", false}, {"24 hours 1 minute", true}} {
		if _, err := db.ExecContext(t.Context(), `update idempotency set created_at = now() - cast($1 as interval)`,
			c.age); err != nil {
			t.Fatal(err)
		}
		next := requestOf(workspace, "k", "another request")
		got := mustBegin(t, db, next, requestOf(workspace, "k", "another request"))
		if got[0].Acquired != c.free || got[0].Mismatch == c.free || c.free && got[0].ID != next.ID || got[1].Acquired {
			t.Errorf("a key of %s = %+v, want it free: %v, and once", c.age, got, c.free)
		}
		if !c.free {
			continue
		}
		if kept, err := db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answerOf(first, begun.AcquiredAt, 201,
			"late")}); err != nil || kept[0] {
			t.Errorf("answering the outdated request = %v, %v, want it refused", kept, err)
		}
		if kept, err := db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answerOf(next, got[0].AcquiredAt, 201,
			"today's")}); err != nil || !kept[0] {
			t.Errorf("answering the new one = %v, %v, want it kept", kept, err)
		}
		if again := mustBegin(t, db, requestOf(workspace, "k", "another request"))[0]; string(again.Body) != "today's" {
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
	var all []pg.IdempotentAnswer
	for name, leads := range map[string][]id.UUID{"none": nil, "there": {there.ID}, "gone": {there.ID, gone.ID}} {
		c := requestOf(b.ws, name, "r")
		s := answerOf(c, mustBegin(t, b.db, c)[0].AcquiredAt, 409, name)
		s.Leads = leads
		all = append(all, s)
	}
	kept, err := b.db.CompleteIdempotent(t.Context(), all)
	if err != nil || !kept[0] || !kept[1] || !kept[2] {
		t.Fatalf("CompleteIdempotent() = %v, %v, want all kept", kept, err)
	}
	for name, body := range map[string]string{"none": "none", "there": "there", "gone": ""} {
		if got := mustBegin(t, b.db, requestOf(b.ws, name, "r"))[0]; got.Status != 409 || string(got.Body) != body {
			t.Errorf("the answer %s = %+v, want status 409 and the body %q", name, got, body)
		}
	}
}
