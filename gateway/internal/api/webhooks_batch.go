package api

import (
	"cmp"
	"time"

	"leadgate/shared/strictjson"
	"leadgate/shared/webhook"
)

// batchView is how an endpoint takes several events in one request, as the API shows it.
type batchView struct {
	Max    int   `json:"max"`
	WaitMs int64 `json:"waitMs"`
}

func showBatch(b webhook.Batch) *batchView {
	if b.Max == 0 {
		return nil
	}
	return &batchView{b.Max, b.Wait.Milliseconds()}
}

// maxBatchJSON is the size of "batch" in bytes.
const maxBatchJSON = 1 << 10

// readBatch reads the current member, "batch", and returns what it makes of a former value: null is none, an absent
// member of it stays, and of one that was none, or is null, has its default.
func readBatch(in *strictjson.Reader) func(webhook.Batch) webhook.Batch {
	object := in.Object(maxBatchJSON, 1)
	if object == nil {
		return func(webhook.Batch) webhook.Batch { return webhook.Batch{} }
	}
	var most *int
	var wait *time.Duration
	r := strictjson.NewReader(object, []string{"max", "waitMs"})
	for r.Next() {
		switch r.Name() {
		case "max":
			n := cmp.Or(r.Integer(1, webhook.MaxBatch), webhook.MaxBatch)
			most = &n
		case "waitMs":
			d := time.Duration(r.Integer(0, int(webhook.MaxBatchWait/time.Millisecond))) * time.Millisecond
			wait = &d
		}
	}
	wrong, more := r.Wrong()
	for i := range wrong {
		wrong[i].Field, wrong[i].Pointer = "batch."+wrong[i].Field, "/batch"+wrong[i].Pointer
	}
	in.Add(wrong...)
	in.AddMore(more)
	return func(b webhook.Batch) webhook.Batch {
		b.Max = cmp.Or(b.Max, webhook.MaxBatch)
		if most != nil {
			b.Max = *most
		}
		if wait != nil {
			b.Wait = *wait
		}
		return b
	}
}
