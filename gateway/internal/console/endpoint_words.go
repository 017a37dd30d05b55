package console

import (
	"leadgate/gateway/internal/webui"
	"leadgate/shared/webhook"
)

// tag is a word and the class of its colour.
type tag struct{ Class, Word string }

// Tag is how an endpoint does, in a word.
func (e endpoint) Tag() tag {
	switch h := e.Health; {
	case !e.Enabled && e.DisabledReason == webhook.DisabledByOwner:
		return tag{"warn", "Paused"}
	case !e.Enabled:
		return tag{"bad", "Stopped"}
	case h.State != "ok":
		return tag{"bad", "Fails"}
	case h.Failures > 0:
		return tag{"warn", "Failed just now"}
	case h.SlowSince != "":
		return tag{"warn", "Slow"}
	case h.LastSuccessAt == "":
		return tag{"", "Not used yet"}
	}
	return tag{"good", "Works"}
}

// Why is why the last attempt failed, to follow "because"; "" where it did not.
func (e endpoint) Why() string { return failureWords(e.Health.LastError) }

// failureWords says what an error of an attempt means.
func failureWords(text string) string { return webui.FailureWords(text, "your server") }

var deliveryTags = map[string]tag{
	string(webhook.Pending): {"warn", "Waits"}, string(webhook.Delivered): {"good", "Delivered"},
	string(webhook.Exhausted): {"bad", "Given up"}, string(webhook.Held): {"warn", "Held"},
	string(webhook.Cancelled): {"", "Cancelled"},
}

// Tag is the state of a delivery in a word.
func (d delivery) Tag() tag {
	if d.State == string(webhook.Pending) && d.LastError != "" {
		return tag{"bad", "Failed, will be tried again"}
	}
	return deliveryTags[d.State]
}

// Why is why its last attempt failed.
func (d delivery) Why() string { return failureWords(d.LastError) }

// Why is why an attempt failed.
func (a attempt) Why() string { return failureWords(a.Error) }

// Means is what its event is, in words.
func (d delivery) Means() string { return eventMeanings[d.EventType] }
