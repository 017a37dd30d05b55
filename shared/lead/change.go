package lead

import (
	"bytes"
	"strconv"
	"time"

	"leadgate/shared/id"
)

// RestoreWithin is how long a deleted lead can be restored; then it is erased.
const RestoreWithin = 30 * 24 * time.Hour

// Differs reports whether a and b differ in what a client can change.
func Differs(a, b *Lead) bool {
	return a.Name != b.Name || a.Email != b.Email || a.UniqueKey != b.UniqueKey || a.Phone != b.Phone ||
		a.Source != b.Source || a.Status != b.Status || !bytes.Equal(a.Metadata, b.Metadata)
}

// NextUpdate is when a lead that was changed at last is changed at now: a version of its own, also to whoever sees only
// milliseconds.
func NextUpdate(last, now time.Time) time.Time {
	now, next := now.UTC().Truncate(time.Millisecond), last.UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	if now.Before(next) {
		return next
	}
	return now
}

// AppendUpdated appends the data of lead.updated: l as the API shows it, its enrichment where that is known, and what
// "previous" it had.
func (l *Lead) AppendUpdated(dst []byte, former *Lead) []byte {
	dst = l.AppendJSON(dst, l.Enrichment != nil)
	dst = append(dst[:len(dst)-1], `,"previous":{`...)
	start := len(dst)
	name := func(differs bool, text string) bool {
		if !differs {
			return false
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), text...), `":`...)
		return true
	}
	if name(l.Name != former.Name, "name") {
		dst = appendOptional(dst, former.Name)
	}
	if name(l.Email != former.Email, "email") {
		dst = appendOptional(dst, former.Email)
	}
	if name(l.Phone != former.Phone, "phone") {
		dst = appendOptional(dst, former.Phone)
	}
	if name(l.Source != former.Source, "source") {
		dst = appendString(dst, former.Source)
	}
	if name(l.Status != former.Status, "status") {
		dst = appendString(dst, former.Status)
	}
	if name(!bytes.Equal(l.Metadata, former.Metadata), "metadata") {
		dst = append(dst, former.Metadata...)
	}
	return append(dst, "}}"...)
}

// Version is what an ETag tells: another one after every change of l, but not of what enrichment found out about it.
func (l *Lead) Version() string { return strconv.FormatInt(l.UpdatedAt.UnixMilli(), 36) }

// AppendDeleted appends the data of lead.deleted: whose lead it was, since when it is gone, and whether it is gone for
// good.
func (l *Lead) AppendDeleted(dst []byte, at time.Time, erased bool) []byte {
	dst = append(dst, `{"id":"`...)
	dst = id.Lead.Append(dst, l.ID)
	dst = append(dst, `","workspaceId":"`...)
	dst = id.Workspace.Append(dst, l.WorkspaceID)
	if l.ChatbotID != (id.UUID{}) {
		dst = append(dst, `","chatbotId":"`...)
		dst = id.Chatbot.Append(dst, l.ChatbotID)
	}
	dst = append(dst, `","deletedAt":"`...)
	dst = at.UTC().AppendFormat(dst, TimeFormat)
	dst = append(dst, `","erased":`...)
	dst = strconv.AppendBool(dst, erased)
	return append(dst, '}')
}

// AppendErased appends what is left of the data of an erased lead's events.
func (l *Lead) AppendErased(dst []byte) []byte {
	dst = append(dst, `{"id":"`...)
	dst = id.Lead.Append(dst, l.ID)
	dst = append(dst, `","workspaceId":"`...)
	dst = id.Workspace.Append(dst, l.WorkspaceID)
	return append(dst, `","erased":true}`...)
}
