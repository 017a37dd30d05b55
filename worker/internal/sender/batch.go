package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// SendDue makes one request of due deliveries of e, which webhook.NextRequest has put together, and returns an attempt
// for each. false: as of Send.
func (s *Sender) SendDue(ctx context.Context, e *webhook.Endpoint, due []webhook.DueDelivery) ([]webhook.Attempt,
	bool) {
	if !e.Batched() {
		a, made := s.Send(ctx, e, &due[0])
		return []webhook.Attempt{a}, made
	}
	batch := webhook.BatchID(due)
	body := webhook.AppendBatch(make([]byte, 0, webhook.BatchSize(due)), due, e.Payload)
	a := webhook.Attempt{ID: id.New(), At: s.now()}
	var answer answerBody
	if !s.post(ctx, e, id.Batch.Format(batch), body, &a, answer.read) {
		return nil, false
	}
	failures := webhook.AllFailed(due, a.Error)
	if a.Error == "" {
		if answer.err != nil && ctx.Err() != nil {
			return nil, false
		}
		failures = answer.failures(due, timeoutOf(e))
	}
	attempts := make([]webhook.Attempt, len(due))
	for i := range due {
		attempts[i] = a
		attempts[i].DeliveryID, attempts[i].Number, attempts[i].Error = due[i].DeliveryID, due[i].Attempts+1, failures[i]
		attempts[i].InBatch = webhook.InBatch{ID: batch, First: due[0].DeliveryID, Size: len(due), Index: i + 1}
	}
	attempts[0].ResponseHead = headOf(answer.text)
	return attempts, true
}

// answerBody is the body of an answer to a batch. Unlike that of any other answer it counts.
type answerBody struct {
	text []byte
	err  error // why it is not all there, or cannot be read
}

// Why an answer is not read.
var (
	errTooLong = fmt.Errorf("the answer has more than %d bytes", bodyLimit)
	errEncoded = errors.New("the answer has a Content-Encoding, which was not asked for")
)

func (b *answerBody) read(res *http.Response) {
	b.text, b.err = io.ReadAll(io.LimitReader(res.Body, bodyLimit+1))
	switch encoding := res.Header.Get("Content-Encoding"); {
	case len(b.text) > bodyLimit:
		b.text, b.err = b.text[:bodyLimit], errTooLong
	case len(b.text) > 0 && encoding != "" && encoding != "identity":
		b.text, b.err = nil, errEncoded
	}
}

// failures returns, of a 2xx answer, why each event of the batch failed. Where some of the body is missing that could
// name them, all did.
func (b *answerBody) failures(due []webhook.DueDelivery, timeout time.Duration) []string {
	text := bytes.TrimSpace(b.text)
	switch names := len(text) == 0 || text[0] == '{'; {
	case b.err == nil:
		return webhook.BatchFailures(text, due)
	case !names:
		return webhook.AllFailed(due, "")
	case b.err == errTooLong || b.err == errEncoded:
		return webhook.AllFailed(due, webhook.FailedAnswer.WithDetail(b.err.Error()))
	}
	return webhook.AllFailed(due, failure(b.err, timeout))
}
