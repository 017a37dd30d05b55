package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/gateway/internal/usage"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

var createParams = []string{"onDuplicate"}

// batchTimeout is what a batch has from the moment it was read: less than an Idempotency-Key is left to it.
const batchTimeout = 20 * time.Second

// createLeads takes many leads in with one statement, and answers 207 with what became of each. One that is wrong does not touch the others.
func (a *api) createLeads(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	on, err := readOnDuplicate(r)
	if err != nil {
		return err
	}
	body, err := httpx.ReadJSON(w, r, maxBatchBody)
	if err != nil {
		return err
	}
	items, err := lead.ParseBatch(body, p.Settings.Statuses)
	if err != nil {
		return err
	}
	// Without the client's end: leads that are committed must not turn into an error.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), batchTimeout)
	defer cancel()
	if err := a.checkBatchChatbots(ctx, p, items); err != nil {
		return err
	}
	requests, places := askedFor(r, items)
	made, err := a.Intake.CreateMany(ctx, p, requests, on)
	if err != nil {
		return err
	}
	b := a.buffers.Get().(*[]byte)
	said := batchAnswer{body: append((*b)[:0], `{"results":[`...), on: on}
	next := 0
	for i := range items {
		if items[i].Err != nil {
			said.fail(i, items[i].Err)
			continue
		}
		one := &made[next]
		if one.DuplicateOf >= 0 {
			one.DuplicateOf = places[one.DuplicateOf]
		}
		said.one(i, items[i].Email, one)
		next++
	}
	said.end()
	if c := claimOf(r); c != nil {
		c.partly, c.leads = said.failed, said.named
	}
	a.Usage.Count(p.WorkspaceID, usage.Rejected, said.mistakes)
	httpx.AddLogField(r, "leads", len(items))
	httpx.AddLogField(r, "created", said.created)
	err = httpx.RawData(w, http.StatusMultiStatus, said.body)
	if *b = said.body; cap(*b) <= maxBatchBuffer {
		a.buffers.Put(b)
	}
	return err
}

// maxBatchBuffer is how large a buffer may be that is used again.
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

// checkBatchChatbots marks items whose chatbot is none of the workspace's. The error is that it could not be found out.
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

// askedFor are the leads that can be made, and where in the batch each is.
func askedFor(r *http.Request, items []lead.BatchItem) (all []intake.Request, places []int) {
	c := claimOf(r)
	all, places = make([]intake.Request, 0, len(items)), make([]int, 0, len(items))
	for i := range items {
		if items[i].Err != nil {
			continue
		}
		q := intake.Request{Draft: items[i].Draft, Chatbot: items[i].Chatbot}
		if c != nil {
			q.ID = id.Derive(c.id, i)
		}
		all, places = append(all, q), append(places, i)
	}
	return all, places
}

// batchAnswer is the answer to a batch, appended by hand: a hundred thousand leads in a second have one each.
type batchAnswer struct {
	body []byte
	on   lead.OnDuplicate

	created, updated, returned, duplicates, rejected int

	named    []id.UUID // whose emails are told
	mistakes int       // of rejected: those that no repetition makes right
	failed   bool      // an item could not be taken in although nothing is wrong with it
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

func (b *batchAnswer) one(index int, email string, one *intake.BulkResult) {
	switch {
	case one.Err != nil:
		b.fail(index, one.Err)
		return
	case one.Exists && b.on == lead.RefuseDuplicate:
		b.duplicates++
		b.duplicate(index, email, one)
		return
	case !one.Exists:
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
	b.body = id.Lead.Append(b.body, one.ID)
	b.body = append(b.body, `"}`...)
}

// duplicate is what a single lead's 409 says, and which lead of the batch was first, if one was.
func (b *batchAnswer) duplicate(index int, email string, one *intake.BulkResult) {
	b.named = append(b.named, one.ID)
	b.begin(index, http.StatusConflict)
	b.body = append(b.body, `,"error":"Email already exists","code":"DUPLICATE_EMAIL","details":{"email":`...)
	b.body, _ = jsontext.AppendQuote(b.body, email)
	b.body = append(b.body, `,"existingLeadId":"`...)
	b.body = id.Lead.Append(b.body, one.ID)
	b.body = append(b.body, `","message":"A lead with this email already exists in your workspace"`...)
	if one.DuplicateOf >= 0 {
		b.body = append(b.body, `,"duplicateOf":`...)
		b.body = strconv.AppendInt(b.body, int64(one.DuplicateOf), 10)
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
	} else {
		b.mistakes++
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
