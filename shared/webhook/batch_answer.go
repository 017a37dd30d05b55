package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"leadgate/shared/id"
)

// What is recorded of an event in a batch that was answered with 2xx and yet has failed.
const (
	namedAsFailed  = "the receiver named this event as failed"
	answerNoObject = "the answer is not one JSON object"
	answerNoIDs    = `"failed" in the answer is not an array of ids of the batch's events`
	answerTwice    = `"failed" is twice in the answer`
)

// BatchFailures reads the body of a 2xx answer to a batch. {"failed":["evt_...", ...]} names the events that have
// failed; the others are delivered. So are all where the body is no JSON object, or one without "failed". errors has one
// for each event, "" for those that are delivered. What cannot be understood for certain is a failure of all: an event
// may come twice, but none is lost.
func BatchFailures(body []byte, due []DueDelivery) (failures []string) {
	failures = make([]string, len(due))
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		return failures
	}
	failed, wrong := failedIDs(body)
	places := make(map[string]int, len(due))
	for i := range due {
		places[id.Event.Format(due[i].EventID)] = i
	}
	for _, text := range failed {
		i, known := places[text]
		if !known {
			wrong = errors.New(answerNoIDs)
			break
		}
		failures[i] = FailedAnswer.WithDetail(namedAsFailed)
	}
	if wrong != nil {
		return AllFailed(due, FailedAnswer.WithDetail(wrong.Error()))
	}
	return failures
}

// AllFailed returns the same failure for each event of a batch.
func AllFailed(due []DueDelivery, failure string) []string {
	failures := make([]string, len(due))
	for i := range failures {
		failures[i] = failure
	}
	return failures
}

// failedIDs returns what stands in "failed" of a JSON object.
func failedIDs(body []byte) (failed []string, wrong error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if brace, err := dec.Token(); err != nil || brace != json.Delim('{') {
		return nil, errors.New(answerNoObject)
	}
	seen := false
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err == nil {
			err = dec.Decode(&value)
		}
		switch {
		case err != nil:
			return nil, errors.New(answerNoObject)
		case name != "failed":
		case seen:
			return nil, errors.New(answerTwice)
		case value[0] != '[' || json.Unmarshal(value, &failed) != nil:
			return nil, errors.New(answerNoIDs)
		default:
			seen = true
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New(answerNoObject)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New(answerNoObject)
	}
	return failed, nil
}
