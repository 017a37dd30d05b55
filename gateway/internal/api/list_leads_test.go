package api_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// shownLead is a lead as lists show it.
type shownLead struct {
	ID, Email, Status, Source, CreatedAt, UpdatedAt string
	Name, DeletedAt                                 *string
	ChatbotID                                       *string
	Metadata                                        map[string]any
	Enrichment                                      map[string]any
}

// someFacts are facts as enrichment finds them.
const someFacts = `{"email":{"domain":"example.com","freeMail":false,"disposable":false,"roleAccount":false},"providers":{"email":"found"}}`

// enriched lets the facts of every lead be found.
func (b *bundle) enriched(t *testing.T) {
	t.Helper()
	_, err := b.db.Enrich(t.Context(), []id.UUID{b.workspace}, 10_000, func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		return slices.Repeat([]pg.Finding{{Facts: []byte(someFacts)}}, len(leads))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) leadID(t *testing.T, public string) id.UUID {
	t.Helper()
	u, err := id.Lead.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// mustPeople makes leads 0 to n-1 and returns their ids, oldest first.
func (b *bundle) mustPeople(t *testing.T, n int) (ids []string) {
	t.Helper()
	for i := range n {
		path := "/api/v1/leads"
		if i%2 == 1 {
			path = "/api/v1/chatbots/" + id.Chatbot.Format(b.chatbot) + "/leads"
		}
		body := fmt.Sprintf(
			`{"name":"Person %d","email":"lead%d@example.com","source":%q,"status":%q,"phone":"+1 (555) 010-%04d","metadata":{"campaign":"c%d", "company":"Firm %d"}}`,
			i, i, []string{"api", "web site"}[i%2], []string{"new", "lost", "converted"}[i%3], i, i%4, i%5)
		ids = append(ids, mustID(t, b.send(t, b.secret, "POST", path, body)))
	}
	return ids
}

// Each filter picks what it says, page by page, before enrichment was there and after.
func TestLeadsByFilter(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*bundle{"": setup(t), ", looking at 3 rows a page": setup(t, small(3))} {
		ids := b.mustPeople(t, 24)
		b.db.MustExecContext(t.Context(), `update leads set deleted_at = now() where id = $1`, b.leadID(t, ids[23]))
		b.db.MustExecContext(t.Context(), `update leads set updated_at = '2030-01-01T00:00:00Z' where id = $1`,
			b.leadID(t, ids[2]))
		b.db.MustExecContext(t.Context(),
			`update leads set created_at = '2020-01-01T00:00:00Z', id = overlay(id::text placing '016f5e66-e800' from 1)::uuid where id = $1`, b.leadID(t, ids[0]))
		b.db.MustExecContext(t.Context(),
			`update enrichment_queue set leads = array(select id from leads where email = 'lead0@example.com') where id = $1`,
			b.leadID(t, ids[0]))
		all := func(pick func(i int) bool) (emails []string) {
			for i := 22; i >= 0; i-- {
				if pick(i) {
					emails = append(emails, fmt.Sprintf("lead%d@example.com", i))
				}
			}
			return emails
		}
		reversed := func(s []string) []string { s = slices.Clone(s); slices.Reverse(s); return s }
		everything := all(func(int) bool { return true })
		for range 2 {
			for query, want := range map[string][]string{
				"":                everything,
				"sort=-createdAt": everything, "sort=createdAt": reversed(everything), "deleted=false": everything,
				"deleted=true": {"lead23@example.com"},
				"status=lost":  all(func(i int) bool { return i%3 == 1 }), "status=qualified": nil,
				"status=lost,converted":                     all(func(i int) bool { return i%3 > 0 }),
				"status=lost,%20new":                        all(func(i int) bool { return i%3 < 2 }),
				"source=web%20site":                         all(func(i int) bool { return i%2 == 1 }),
				"chatbotId=" + id.Chatbot.Format(b.chatbot): all(func(i int) bool { return i%2 == 1 }),
				"email=LEAD7@Example.com":                   {"lead7@example.com"},
				"email=nobody@example.com":                  nil,
				"q=person":                                  everything,
				"q=PERSON%207":                              {"lead7@example.com"},
				"q=lead12@example":                          {"lead12@example.com"},
				"q=firm%203":                                all(func(i int) bool { return i == 3 || i%5 == 3 }),
				"q=irm":                                     nil,
				"metadata.campaign=c2":                      all(func(i int) bool { return i%4 == 2 }),
				"metadata.campaign=c2&metadata.company=Firm%202":       all(func(i int) bool { return i%20 == 2 }),
				"metadata.campaign=":                                   nil,
				"updatedFrom=2029-01-01T00:00:00Z":                     {"lead2@example.com"},
				"createdFrom=2020-01-01&createdUntil=2020-01-01":       {"lead0@example.com"},
				"createdFrom=2020-01-02&createdUntil=2020-01-05":       nil,
				"createdUntil=2019-12-31":                              nil,
				"updatedFrom=2030-01-01&updatedUntil=9999-12-31":       {"lead2@example.com"},
				"phone=%2B1%20555%20010-0007":                          {"lead7@example.com"},
				"phone=0007":                                           {"lead7@example.com"},
				"q=%2B15550100007":                                     {"lead7@example.com"},
				"q=(555)%20010-0007":                                   {"lead7@example.com"},
				"q=0007":                                               {"lead7@example.com"},
				"q=@EXAMPLE.com":                                       everything,
				"q=@xample.com":                                        nil,
				"domain=example.com&status=new&q=person%200":           {"lead15@example.com", "lead0@example.com"},
				"domain=mail.example.com":                              nil,
				"createdUntil=2021-01-01T00:00:00Z":                    {"lead0@example.com"},
				"createdFrom=2021-01-01t00:00:00z&status=NEW&q=person": all(func(i int) bool { return i%3 == 0 && i > 0 }),
				"sort=-updatedAt&status=converted": append([]string{"lead2@example.com"},
					all(func(i int) bool { return i%3 == 2 && i != 2 })...),
			} {
				t.Run(query, func(t *testing.T) {
					q, err := url.ParseQuery(query)
					if err != nil {
						t.Fatal(err)
					}
					for _, limit := range []string{"2", "200"} {
						q.Set("limit", limit)
						leads, _ := pages[shownLead](t, b, "/api/v1/leads", maps.Clone(q))
						var got []string
						for _, l := range leads {
							got = append(got, l.Email)
							if (l.DeletedAt != nil) != (query == "deleted=true") {
								t.Errorf("%s: deletedAt = %v", query, l.DeletedAt)
							}
						}
						if !slices.Equal(got, want) {
							t.Errorf("leads by %q%s = %v, want %v", query, name, got, want)
						}
					}
				})
			}
			b.enriched(t)
		}
		leads, _ := page[shownLead](t, b, "/api/v1/leads?limit=1")
		if leads[0].Enrichment["email"] == nil || leads[0].Metadata["campaign"] != "c2" {
			t.Errorf("a lead of the list is %+v, want its enrichment and metadata", leads[0])
		}
	}
}

// A lead is in every list and search the moment its 201 was sent, and when it is indexed, and in no other workspace's.
func TestLeadsAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop, stopped := context.WithCancel(t.Context())
	done := make(chan error, 1)
	other := b.mustWorkspace(t, tenant.Settings{})
	mine := b.owner
	for i := range 200 {
		if i == 100 { // from here on there is a worker
			go func() {
				for stop.Err() == nil {
					_, err := b.db.Enrich(stop, []id.UUID{mine.workspace}, 7, func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
						return slices.Repeat([]pg.Finding{{Facts: []byte(someFacts)}}, len(leads))
					})
					if err != nil && stop.Err() == nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		email := fmt.Sprintf("n%d@example.com", i)
		made := mustID(t, b.send(t, mine.secret, "POST", "/api/v1/leads",
			fmt.Sprintf(`{"name":"Name%d","email":%q,"metadata":{"k":"v%d"}}`, i, email, i)))
		queries := []string{"limit=1", "email=" + email, fmt.Sprintf("q=name%d", i), fmt.Sprintf("metadata.k=v%d", i),
			"limit=1&sort=-updatedAt"}
		for _, query := range []string{queries[0], queries[1+i%4]} {
			b.owner = mine
			got, _ := page[shownLead](t, b, "/api/v1/leads?"+query)
			if len(got) == 0 || got[0].ID != made {
				t.Fatalf("%s right after the 201 = %+v, want %s", query, got, made)
			}
			b.owner = other
			if got, _ := page[shownLead](t, b, "/api/v1/leads?"+query); len(got) > 0 {
				t.Fatalf("%s of another workspace = %+v, want nothing", query, got)
			}
		}
		b.owner = mine
	}
	stopped()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A status that is refused is told those there are; one that only leads have any more still finds them.
func TestLeadsOfAFormerStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustPeople(t, 4)
	b.patchWorkspace(t, b.secret, `{"statuses":["new","won, at last","done"]}`)
	b.forward(time.Second)
	for _, path := range []string{"/api/v1/leads?status=", "/api/v1/leads/export?format=ndjson&status="} {
		for status, want := range map[string]int{
			"lost": 200, "new,lost": 200, "won,%20at%20last": 200, "new,won": 400, "qualified": 400,
		} {
			got := b.send(t, b.secret, "GET", path+status, "")
			if got.status != want || want == 400 && !strings.Contains(got.text, "new, won, at last, done") {
				t.Errorf("%s%s = %d %s, want %d, a refusal with the statuses there are", path, status, got.status, got.text, want)
			}
		}
	}
	if got, _ := page[shownLead](t, b, "/api/v1/leads?status=lost"); len(got) != 1 {
		t.Errorf("%d leads of a status that the workspace has no longer, want 1", len(got))
	}
}

func TestLeadListInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustPeople(t, 2)
	_, next := page[shownLead](t, b, "/api/v1/leads?limit=1&sort=updatedAt")
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=201": "limit", "cursor=": "cursor", "cursor=abc": "cursor", "cursor=" + *next: "cursor",
		"sort=-updatedAt&cursor=" + *next:      "cursor",
		"sort=updatedAt&cursor=" + (*next)[1:]: "cursor", "sort=name": "sort", "status=": "status",
		"source=" + strings.Repeat("x", 101): "source", "email=x": "email",
		"chatbotId=x": "chatbotId", "q=": "q", "q=%20-": "q", "q=" + strings.Repeat("x", 101): "q",
		"q=a%20b%20c%20d%20e%20f%20g%20h%20i": "q", "q=%ff": "q",
		"deleted=1": "deleted", "deleted=": "deleted", "createdFrom=yesterday": "createdFrom", "metadata.=x": "metadata.",
		"metadata=x": "metadata",
		"metadata.%3Ckey%3E=x&metadata.a=1&metadata.b=1&metadata.c=1&metadata.d=1&metadata.e=1": "metadata.e",
		"createdFrom=2026-01-01T00:00:00Z&createdUntil=2026-01-01T00:00:00Z":                    "createdUntil",
		"createdFrom=2026-01-02&createdUntil=2026-01-01":                                        "createdUntil",
		"createdFrom=2026-02-30": "createdFrom", "createdFrom=1579046400": "createdFrom",
		"createdFrom=2026-01-15T10:30:00": "createdFrom", "createdUntil=2026-01-15%2010:30:00": "createdUntil",
		"status=unknown": "status", "status=new,unknown": "status", "status=new,": "status", "status=,": "status",
		"status=" + strings.Repeat("a,", 50): "status", "domain=": "domain", "domain=ann": "domain", "domain=a@b": "domain",
		"phone=": "phone", "phone=131": "phone", "phone=call%20me": "phone", "phone=%2B1234%2B1234": "phone",
		"updatedFrom=2026-01-02T00:00:00Z&updatedUntil=2026-01-01T00:00:00Z": "updatedUntil",
		"metadata.a=x&metadata.a=y": "metadata.a", "metadata.a=" + strings.Repeat("x", 1001): "metadata.a",
		"format=csv": "format",
	} {
		t.Run(query, func(t *testing.T) {
			got := b.send(t, b.secret, "GET", "/api/v1/leads?"+query, "")
			got.wantError(t, query, 400, "VALIDATION_ERROR")
			if got.body.Details.Field != field {
				t.Errorf("%s: field %q, want %q (%s)", query, got.body.Details.Field, field, got.text)
			}
		})
	}
	for _, query := range []string{"sort=updatedAt&cursor=" + *next, "q=%27%5C%3A%2A%26", "metadata.%27=%5C", "q=%00a%00",
		"source=%27"} {
		t.Run(query, func(t *testing.T) {
			if got := b.send(t, b.secret, "GET", "/api/v1/leads?"+query, ""); got.status >= 500 {
				t.Errorf("%s = %d %s, want no error of ours", query, got.status, got.text)
			}
		})
	}
	for query, code := range map[string]string{
		"chatbotId=" + id.Chatbot.Format(id.New()): "CHATBOT_NOT_FOUND", "chatbotId=" + id.Chatbot.Format(b.mustWorkspace(t,
			tenant.Settings{}).chatbot): "CHATBOT_NOT_FOUND",
	} {
		b.send(t, b.secret, "GET", "/api/v1/leads?"+query, "").wantError(t, query, 404, code)
		b.send(t, b.secret, "GET", "/api/v1/leads/export?"+query, "").wantError(t, "export "+query, 404, code)
	}
	_, secret := b.mustKey(t, b.workspace, []tenant.Scope{tenant.LeadsWrite})
	b.send(t, secret, "GET", "/api/v1/leads", "").wantError(t, "without the scope", 403, "FORBIDDEN")
	b.send(t, secret, "GET", "/api/v1/leads/export", "").wantError(t, "without the scope", 403, "FORBIDDEN")
}

// While leads come and go, a reader of pages sees none twice and misses none that stays.
func TestPagesWhileLeadsCome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.mustPeople(t, 12)
	seen := map[string]int{}
	path := "/api/v1/leads?limit=3"
	for at := 0; ; at++ {
		leads, next := page[shownLead](t, b, path)
		for _, l := range leads {
			seen[l.ID]++
		}
		if next == nil {
			break
		}
		path = "/api/v1/leads?limit=3&cursor=" + *next
		b.mustCreate(t, b.owner, fmt.Sprintf("late%d@example.com", at))
		b.db.MustExecContext(t.Context(), `update leads set deleted_at = now() where id = $1`,
			b.leadID(t, leads[len(leads)-1].ID))
	}
	for _, made := range ids {
		if seen[made] != 1 {
			t.Errorf("lead %s is on %d pages, want 1", made, seen[made])
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d leads seen, want the 12 that were there first", len(seen))
	}
}

func TestDeletedLeadTellsWhen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.mustPeople(t, 1)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b.db.MustExecContext(t.Context(), `update leads set deleted_at = $2 where id = $1`, b.leadID(t, ids[0]), at)
	got, _ := page[shownLead](t, b, "/api/v1/leads?deleted=true")
	if len(got) != 1 || got[0].DeletedAt == nil || *got[0].DeletedAt != "2026-01-02T03:04:05.000Z" {
		t.Errorf("deleted ones = %+v, want the lead with when it was deleted", got)
	}
}
