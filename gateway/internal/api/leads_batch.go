package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

var createParams = []string{"onDuplicate"}

// batchTimeout bounds a batch from the moment that its body was read; an Idempotency-Key expires later.
const batchTimeout = 20 * time.Second

// createLeads creates many leads at once, and answers 207 with the outcome of each. An invalid one does not
// affect the others.
func (a *api) createLeads(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if !idempotency.Given(r) {
		_, err := a.putLeads(w, r, p, id.UUID{})
		return err
	}
	handle := func(w http.ResponseWriter, r *http.Request, newID id.UUID) (idempotency.Result, error) {
		res, err := a.putLeads(w, r, p, newID)
		a.countRefused(tenant.WayBatch, p, err) // Serve answers it
		return res, err
	}
	return a.Idempotency.Serve(w, r, idempotencyOf(p, maxBatchBody), handle)
}

// putLeads creates the leads of a batch; their ids derive from batchID, which is zero without an Idempotency-Key.
func (a *api) putLeads(
	w http.ResponseWriter, r *http.Request, p *tenant.Principal, batchID id.UUID,
) (res idempotency.Result, err error) {
	on, err := readOnDuplicate(r)
	if err != nil {
		return res, err
	}
	body, err := httpx.ReadJSON(w, r, maxBatchBody)
	if err != nil {
		return res, err
	}
	items, err := lead.ParseBatch(body, p.Settings.Rules())
	if err != nil {
		return res, err
	}
	// A client that leaves does not end this: leads that are committed must not turn into an error.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), batchTimeout)
	defer cancel()
	if err := a.checkBatchChatbots(ctx, p, items); err != nil {
		return res, err
	}
	batch, places := validItems(items, batchID)
	results, err := a.Intake.CreateMany(ctx, p, batch, on)
	if err != nil {
		return res, err
	}
	b := a.buffers.Get().(*[]byte)
	answer := batchAnswer{body: append((*b)[:0], `{"results":[`...), on: on}
	next := 0
	for i := range items {
		if items[i].Err != nil {
			answer.fail(i, items[i].Err)
			continue
		}
		res := &results[next]
		if res.DuplicateOf >= 0 {
			res.DuplicateOf = places[res.DuplicateOf]
		}
		answer.add(i, &items[i].Draft, res)
		next++
	}
	answer.end()
	res = idempotency.Result{Leads: answer.named, Partial: answer.failed}
	a.countBatch(p, &answer)
	httpx.AddLogField(r, "leads", len(items))
	httpx.AddLogField(r, "created", answer.created)
	err = httpx.RawData(w, http.StatusMultiStatus, answer.body)
	if *b = answer.body; cap(*b) <= maxBatchBuffer {
		a.buffers.Put(b)
	}
	return res, err
}

// countBatch adds to the books what became of the items that left no row.
func (a *api) countBatch(p *tenant.Principal, answer *batchAnswer) {
	in := books.In{Workspace: p.WorkspaceID, Way: tenant.WayBatch}
	a.Books.Count(in, tenant.RefusedDuplicate.Outcome(), answer.duplicates+answer.returned)
	for outcome, n := range answer.refused {
		a.Books.Count(in, outcome, n)
	}
}

// maxBatchBuffer is how many bytes a buffer may have to be used again.
const maxBatchBuffer = 256 << 10

// readOnDuplicate reads the parameter of routes that create leads.
func readOnDuplicate(r *http.Request) (lead.OnDuplicate, error) {
	if r.URL.RawQuery == "" {
		return lead.RefuseDuplicate, nil
	}
	q := readParams(r)
	if !q.Has("onDuplicate") {
		return lead.RefuseDuplicate, nil
	}
	on := lead.OnDuplicate(q.Get("onDuplicate"))
	switch on {
	case lead.RefuseDuplicate, lead.ReturnDuplicate, lead.UpdateDuplicate:
	default:
		q.addError("onDuplicate", "Must be one of: error, return, update")
	}
	return on, q.err()
}

// checkBatchChatbots sets the Err of items whose chatbot is not one of the workspace. An error means that it could not
// be found out.
func (a *api) checkBatchChatbots(ctx context.Context, p *tenant.Principal, items []lead.BatchItem) error {
	var known map[id.UUID]error
	for i := range items {
		chatbot := items[i].Chatbot
		if chatbot == (id.UUID{}) || items[i].Err != nil {
			continue
		}
		err, asked := known[chatbot]
		if !asked {
			err = a.Auth.Chatbot(ctx, p.WorkspaceID, chatbot)
			if err != nil && !fault.Is(err, fault.ChatbotNotFound) {
				return err
			}
			if known == nil {
				known = map[id.UUID]error{}
			}
			known[chatbot] = err
		}
		items[i].Err = err
	}
	return nil
}

// validItems returns the leads of a batch that can be created, and where in the batch each is.
func validItems(items []lead.BatchItem, batchID id.UUID) (valid []intake.Item, places []int) {
	valid, places = make([]intake.Item, 0, len(items)), make([]int, 0, len(items))
	for i := range items {
		if items[i].Err != nil {
			continue
		}
		item := intake.Item{Draft: items[i].Draft, Chatbot: items[i].Chatbot}
		if batchID != (id.UUID{}) {
			item.ID = id.Derive(batchID, i)
		}
		valid, places = append(valid, item), append(places, i)
	}
	return valid, places
}

// batchAnswer is the answer to a batch. It is appended by hand, because a hundred thousand leads a second have one
// each.
type batchAnswer struct {
	body []byte
	on   lead.OnDuplicate

	created, updated, returned, duplicates, rejected int

	named   []id.UUID                  // leads whose emails the answer has
	refused map[tenant.BookOutcome]int // of rejected: those that books do not have yet
	failed  bool                       // a valid item could not be created
}

func (b *batchAnswer) begin(index, status int) {
	if index > 0 {
		b.body = append(b.body, ',')
	}
	b.body = append(b.body, `{"index":`...)
	b.body = strconv.AppendInt(b.body, int64(index), 10)
	b.body = append(b.body, `,"status":`...)
	b.body = strconv.AppendInt(b.body, int64(status), 10)
}

func (b *batchAnswer) add(index int, d *lead.Draft, res *intake.BulkResult) {
	switch {
	case res.Err != nil:
		b.fail(index, res.Err)
		return
	case res.Exists && b.on == lead.RefuseDuplicate:
		b.duplicates++
		b.duplicate(index, d, res)
		return
	case !res.Exists:
		b.created++
		b.begin(index, http.StatusCreated)
	default:
		if b.on == lead.UpdateDuplicate {
			b.updated++
		} else {
			b.returned++
		}
		b.begin(index, http.StatusOK)
	}
	b.body = append(b.body, `,"id":"`...)
	b.body = id.Lead.Append(b.body, res.ID)
	b.body = append(b.body, `"}`...)
}

// duplicate appends what a single lead's 409 says, and which item of the batch was first, if one was.
func (b *batchAnswer) duplicate(index int, d *lead.Draft, res *intake.BulkResult) {
	b.named = append(b.named, res.ID)
	b.begin(index, http.StatusConflict)
	what := "email"
	if d.Email == "" {
		what = "phone"
		b.body = append(b.body, `,"error":"Phone already exists","code":"DUPLICATE_PHONE","details":{"phone":`...)
		b.body, _ = jsontext.AppendQuote(b.body, d.Phone)
	} else {
		b.body = append(b.body, `,"error":"Email already exists","code":"DUPLICATE_EMAIL","details":{"email":`...)
		b.body, _ = jsontext.AppendQuote(b.body, d.Email)
	}
	b.body = append(b.body, `,"existingLeadId":"`...)
	b.body = id.Lead.Append(b.body, res.ID)
	b.body = append(b.body, `","message":"A lead with this `+what+` already exists in your workspace"`...)
	if res.DuplicateOf >= 0 {
		b.body = append(b.body, `,"duplicateOf":`...)
		b.body = strconv.AppendInt(b.body, int64(res.DuplicateOf), 10)
	}
	b.body = append(b.body, "}}"...)
}

func (b *batchAnswer) fail(index int, err error) {
	f := fault.From(err)
	if f.Kind == fault.Internal { // nothing is wrong with the item, and the log has what is
		f = fault.StoreUnavailable(err, 0)
	}
	status := f.Kind.Status()
	b.rejected++
	if status >= http.StatusInternalServerError {
		b.failed = true
	}
	if outcome, ok := books.OutcomeOf(f); ok {
		if b.refused == nil {
			b.refused = map[tenant.BookOutcome]int{}
		}
		b.refused[outcome]++
	}
	b.begin(index, status)
	b.body = append(b.body, `,"error":`...)
	b.body, _ = jsontext.AppendQuote(b.body, f.Public)
	b.body = append(b.body, `,"code":"`...)
	b.body = append(b.body, f.Kind...)
	b.body = append(b.body, '"')
	if f.Details != nil {
		if details, err := json.Marshal(f.Details); err == nil {
			b.body = append(b.body, `,"details":`...)
			b.body = append(b.body, details...)
		}
	}
	b.body = append(b.body, '}')
}

func (b *batchAnswer) end() {
	b.body = append(b.body, `],"created":`...)
	b.body = strconv.AppendInt(b.body, int64(b.created), 10)
	b.body = append(b.body, `,"updated":`...)
	b.body = strconv.AppendInt(b.body, int64(b.updated), 10)
	b.body = append(b.body, `,"returned":`...)
	b.body = strconv.AppendInt(b.body, int64(b.returned), 10)
	b.body = append(b.body, `,"duplicates":`...)
	b.body = strconv.AppendInt(b.body, int64(b.duplicates), 10)
	b.body = append(b.body, `,"rejected":`...)
	b.body = strconv.AppendInt(b.body, int64(b.rejected), 10)
	b.body = append(b.body, '}')
}
