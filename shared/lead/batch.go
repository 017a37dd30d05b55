package lead

import (
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
)

// MaxBatch is how many leads a batch can have.
const MaxBatch = 500

var batchFields = append(fields[:len(fields):len(fields)], "chatbotId")

// BatchItem is one lead of a batch, or what is wrong with it.
type BatchItem struct {
	Draft
	Chatbot id.UUID // zero: none
	Err     error   // a VALIDATION_ERROR that tells the mistakes of this one; Draft is empty then
}

// ParseBatch reads the body of a request that creates leads, {"leads":[{...}]}, each as in Parse, and maybe with a
// chatbotId. The error is a VALIDATION_ERROR of a body that cannot be read as that.
func ParseBatch(body []byte, rules Rules) ([]BatchItem, error) {
	batch := make([]BatchItem, 0, min(MaxBatch, 1+len(body)/minItem))
	items := strictjson.NewItems(body, "leads", MaxBatch, batchFields)
	for items.Next() {
		batch = append(batch, readItem(items.Reader(), rules))
	}
	if err := items.Err(); err != nil {
		return nil, err
	}
	return batch, nil
}

// minItem is what a lead takes at least: {"email":"a@b.cd"},
const minItem = 19

func readItem(r *strictjson.Reader, rules Rules) (b BatchItem) {
	for r.Next() {
		if r.Name() == "chatbotId" {
			b.chatbot(r)
		} else {
			b.Draft.read(r, rules)
		}
	}
	if r.IsObject() {
		b.identify(r, rules)
	}
	if b.Err = r.Err(); b.Err != nil {
		return BatchItem{Err: b.Err}
	}
	b.fill(rules.Statuses)
	return b
}

func (b *BatchItem) chatbot(r *strictjson.Reader) {
	if r.Blank() {
		return
	}
	rule := id.Chatbot.Rule()
	text, given := r.String(rule)
	if !given {
		return
	}
	var err error
	if b.Chatbot, err = id.Chatbot.Parse(text); err != nil {
		r.Refuse(rule)
	}
}
