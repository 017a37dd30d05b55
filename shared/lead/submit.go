package lead

import (
	"encoding/json"

	"leadgate/shared/id"
)

// AppendSubmitted appends the data of lead.submitted: l as it is now, its enrichment where that is known, and what was
// sent.
func (l *Lead) AppendSubmitted(dst []byte, s *Submission) []byte {
	dst = l.AppendJSON(dst, l.Enrichment != nil)
	dst = append(dst[:len(dst)-1], `,"submission":{"id":"`...)
	dst = id.Submission.Append(dst, s.ID)
	dst = append(dst, `","formId":"`...)
	dst = id.Key.Append(dst, s.FormID)
	dst = append(dst, `","createdAt":"`...)
	dst = s.CreatedAt.UTC().AppendFormat(dst, TimeFormat)
	dst = append(dst, `","verdict":`...)
	dst = appendString(dst, string(s.Verdict))
	dst = append(dst, `,"fields":`...)
	if s.Fields == nil {
		dst = append(dst, "{}"...)
	} else {
		dst = append(dst, s.Fields...)
	}
	dst = append(dst, `,"page":`...)
	dst = appendOptional(dst, s.Page)
	dst = append(dst, `,"referrer":`...)
	dst = appendOptional(dst, s.Referrer)
	dst = append(dst, `,"campaign":`...)
	if len(s.Campaign) == 0 {
		dst = append(dst, "{}"...)
	} else {
		campaign, _ := json.Marshal(s.Campaign) // texts never fail
		dst = append(dst, campaign...)
	}
	return append(dst, "}}"...)
}

// FillIn gives l what it does not have of what d has: a name, a phone and members of metadata, but for those named in
// except. Nothing is overwritten, and what does not fit stays out. NOT_FOUND where l has another email since.
func (d *Draft) FillIn(l *Lead, except ...string) error {
	if l.AddressKey() != d.AddressKey {
		return NotFoundError()
	}
	if l.Name == "" {
		l.Name = d.Name
	}
	if l.Phone == "" {
		l.Phone = d.Phone
	}
	all := members(l.Metadata)
	has := make(map[string]bool, len(all)+len(except))
	for _, m := range all {
		has[m.name] = true
	}
	for _, name := range except {
		has[name] = true
	}
	size, before := len(l.Metadata), len(all)
	for _, m := range members(d.Metadata) {
		if grown := size + len(m.quoted) + len(m.raw) + len(`:,`); !has[m.name] && m.raw[0] != 'n' && grown <= MaxMetadata {
			has[m.name], size = true, grown
			all = append(all, m)
		}
	}
	if len(all) > before {
		l.Metadata = appendMembers(make([]byte, 0, size), all)
	}
	return nil
}

// size of a submission beside its fields: what columns and JSON cost it.
const submissionOverhead = 512

// Size is about how many bytes a submission has.
func (s *Submission) Size() int {
	return submissionOverhead + len(s.Fields) + len(s.Page) + len(s.UserAgent)
}
