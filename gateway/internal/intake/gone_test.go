package intake_test

import (
	"fmt"
	"testing"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// mustLose makes Postgres delete l at the end of the next insert: it has its email then, and has it no longer when
// whoever wants it asks who has.
func (b *bundle) mustLose(t *testing.T, l id.UUID) {
	t.Helper()
	for _, q := range []string{
		`create or replace function lose() returns trigger language plpgsql as $$ begin delete from leads where id = '` +
			fmt.Sprint(l) + `'; return null; end $$`,
		`create or replace trigger lose after insert on leads for each statement execute function lose()`,
	} {
		if _, err := b.db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

// A lead whose email another has just given up is created, and nobody is told to try again.
func TestEmailGivenUpMeanwhileIsTaken(t *testing.T) {
	t.Parallel()
	for _, on := range []lead.OnDuplicate{lead.RefuseDuplicate, lead.UpdateDuplicate, lead.ReturnDuplicate} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			former := b.mustCreate(t, "a@example.com")
			b.flush(t)
			b.mustLose(t, former.ID)
			d := draft("a@example.com")
			r := intake.Request{Lead: intake.NewLead(b.principal, &d, id.UUID{}, id.UUID{}), Draft: d, OnDuplicate: on}
			r.Admission = b.Admit(t.Context(), b.principal, &r.Lead)
			out, err := b.Put(t.Context(), b.principal, r)
			if err != nil || out.Existing || out.Lead.ID != r.Lead.ID {
				t.Fatalf("Put = %+v, %v, want a new lead", out, err)
			}
			b.wantDuplicate(t, "a@example.com", out.Lead.ID)
		})
	}
	t.Run("batch", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		former := b.mustCreate(t, "a@example.com")
		kept := b.mustCreate(t, "b@example.com")
		b.mustLose(t, former.ID)
		items := []intake.Item{{Draft: draft("c@example.com")}, {Draft: draft("a@example.com")},
			{Draft: draft("b@example.com")}, {Draft: draft("a@example.com")}}
		out, err := b.CreateMany(t.Context(), b.principal, items, lead.RefuseDuplicate)
		if err != nil {
			t.Fatal(err)
		}
		if out[1].Err != nil || out[1].Exists || out[1].ID == (id.UUID{}) || out[3].Err != nil || out[3].ID != out[1].ID {
			t.Errorf("results of a@example.com = %+v, %+v, want one new lead", out[1], out[3])
		}
		if out[0].Err != nil || out[0].Exists || !out[2].Exists || out[2].ID != kept.ID {
			t.Errorf("results of the others = %+v, %+v, want a new lead and the kept one", out[0], out[2])
		}
		b.wantDuplicate(t, "a@example.com", out[1].ID)
	})
	t.Run("batch that updates", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		former := b.mustCreate(t, "a@example.com")
		kept := b.mustCreate(t, "b@example.com")
		// It is deleted between the insert that found its email taken and the update.
		b.db.MustExecContext(t.Context(), `
create function lose() returns trigger language plpgsql as $$ begin
    if new.name = 'first' then delete from leads where id = '`+former.ID.String()+`'; end if;
    return new;
end $$;
create trigger lose before update on leads for each row execute function lose()`)
		first, second := draft("b@example.com"), draft("a@example.com")
		first.Name, second.Name = "first", "second"
		items := []intake.Item{{Draft: first}, {Draft: second}, {Draft: draft("a@example.com")}}
		out, err := b.CreateMany(t.Context(), b.principal, items, lead.UpdateDuplicate)
		if err != nil {
			t.Fatal(err)
		}
		if out[0].Err != nil || out[0].ID != kept.ID || !out[0].Exists {
			t.Errorf("result of b@example.com = %+v, want the kept lead", out[0])
		}
		if out[1].Err != nil || out[1].Exists || out[1].ID == former.ID || out[2].Err != nil || out[2].ID != out[1].ID {
			t.Errorf("results of a@example.com = %+v, %+v, want one new lead", out[1], out[2])
		}
		b.wantDuplicate(t, "a@example.com", out[1].ID)
	})
}
