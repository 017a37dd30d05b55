package webui

import (
	"strings"

	"leadgate/shared/webhook"
)

// FailureWords says what an error of an attempt to deliver means, to follow "because"; server is whose it is, such as
// "your server".
func FailureWords(text, server string) string {
	_, detail, _ := strings.Cut(text, ": ")
	more := ""
	if detail != "" {
		more = " (" + detail + ")"
	}
	switch webhook.ClassOf(text) {
	case "":
		return ""
	case webhook.FailedTimeout:
		return server + " did not answer in time" + more
	case webhook.FailedDNS:
		return "no host of this name was found" + more
	case webhook.FailedRefused:
		return "nothing listens at this address" + more
	case webhook.FailedTLS:
		return "no secure connection was possible" + more
	case webhook.FailedBlocked:
		return "webhooks may not go to this address" + more
	case webhook.FailedConnection:
		return "the connection broke off" + more
	case webhook.FailedStatus:
		return server + " answered " + detail
	case webhook.FailedAnswer:
		return server + " did not take this event of the batch" + more
	case webhook.FailedInternal:
		return "something failed on our side" + more
	}
	return text
}
