// Package lead is the lead itself: what it is made of, which input makes one, and how it is shown.
package lead

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/id"
)

// Lead is a visitor who left an email or, where the workspace takes that, a phone.
type Lead struct {
	WorkspaceID id.UUID
	ID          id.UUID
	ChatbotID   id.UUID // zero: the lead came without a chatbot
	Name        string  // "" is shown as null
	Email       string  // as ParseEmail shows it; "": the lead is known by its phone, and it is shown as null
	// what is unique in a workspace: the email's key, and maybe what it is unique with (tenant.Settings.UniqueKey)
	UniqueKey  string
	Phone      string // "" is shown as null
	Source     string
	Status     string
	Metadata   []byte // a JSON object, as it came
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Enrichment []byte // a JSON object; nil until facts were found
	DeletedAt  *time.Time
}

// AddressKey returns the key of the email, the same for every spelling of one address; of a lead without an email its
// phone as E.164.
func (l *Lead) AddressKey() string {
	address, _, _ := strings.Cut(l.UniqueKey, " ")
	return address
}

// SuppressionHash is what is kept of an email that may not come back.
func SuppressionHash(workspace id.UUID, addressKey string) []byte {
	h := sha256.New()
	h.Write(workspace[:])
	h.Write([]byte(addressKey))
	return h.Sum(nil)
}

// TimeFormat is how every time is shown: UTC with milliseconds (RFC 3339).
const TimeFormat = "2006-01-02T15:04:05.000Z"

// AppendJSON appends the lead as the API shows it, with the contract's keys in the contract's order.
// withEnrichment adds "enrichment", null while it is owed.
func (l *Lead) AppendJSON(dst []byte, withEnrichment bool) []byte {
	dst = append(dst, `{"id":"`...)
	dst = id.Lead.Append(dst, l.ID)
	dst = append(dst, `","name":`...)
	dst = appendOptional(dst, l.Name)
	dst = append(dst, `,"email":`...)
	dst = appendOptional(dst, l.Email)
	dst = append(dst, `,"phone":`...)
	dst = appendOptional(dst, l.Phone)
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, l.Source)
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, l.Status)
	dst = append(dst, `,"metadata":`...)
	dst = append(dst, l.Metadata...)
	dst = append(dst, `,"createdAt":"`...)
	dst = l.CreatedAt.UTC().AppendFormat(dst, TimeFormat)
	dst = append(dst, `","updatedAt":"`...)
	dst = l.UpdatedAt.UTC().AppendFormat(dst, TimeFormat)
	dst = append(dst, `","workspaceId":"`...)
	dst = id.Workspace.Append(dst, l.WorkspaceID)
	dst = append(dst, '"')
	if l.ChatbotID != (id.UUID{}) {
		dst = append(dst, `,"chatbotId":"`...)
		dst = id.Chatbot.Append(dst, l.ChatbotID)
		dst = append(dst, '"')
	}
	if withEnrichment {
		dst = append(dst, `,"enrichment":`...)
		if l.Enrichment == nil {
			dst = append(dst, "null"...)
		} else {
			dst = append(dst, l.Enrichment...)
		}
	}
	if l.DeletedAt != nil {
		dst = append(dst, `,"deletedAt":"`...)
		dst = l.DeletedAt.UTC().AppendFormat(dst, TimeFormat)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s)
}

// appendString never fails: what is not UTF-8, which no validated lead holds, goes out as U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
