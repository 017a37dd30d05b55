package pg

import (
	"strings"
	"unicode/utf8"

	"leadgate/shared/lead"
)

// leadFilter is what can be told of a lead l by its row in SQL; the rest of lead.Query needs lead.Fits. Of a value in
// metadata and of a search word it only tells where they cannot be: nowhere in the text, and nothing there is written
// as an escape.
//
// $1 workspace, $2 deleted, $3 chatbot or null, $4 statuses, none for any, $5 source or "", $6 what the address ends
// with or "", $7 and $8 created from and until, $9 and $10 updated from and until, $11 value in metadata or "", $12
// search word or "", $13 digits of the phone or "".
const leadFilter = `(l.deleted_at is not null) = $2
       and (cast($3 as uuid) is null or l.chatbot_id is not distinct from $3)
       and (coalesce(cardinality($4::text[]), 0) = 0 or l.status = any($4::text[]))
       and ($5 = '' or l.source = $5)
       and ($6 = '' or right(split_part(l.email_key, ' ', 1), char_length($6)) = $6)
       and l.created_at >= $7 and l.created_at < $8
       and l.updated_at >= $9 and l.updated_at < $10
       and ($11 = '' or strpos(cast(l.metadata as text), $11) > 0 or strpos(cast(l.metadata as text), '\') > 0)
       and ($12 = ''
            or strpos(lower(concat_ws(' ', l.name, l.email, l.metadata)), $12) > 0
            or octet_length(concat_ws(' ', l.name, l.email, l.metadata)) > char_length(concat_ws(' ', l.name, l.email, l.metadata))
            or strpos(cast(l.metadata as text), '\') > 0)
       and ($13 = ''
            or strpos(regexp_replace(replace(coalesce(l.phone, ''), '(0)', ''), '[^0-9]', '', 'g'), $13) > 0
            or octet_length(coalesce(l.phone, '')) > char_length(coalesce(l.phone, '')))`

func (p *leadSearch) filter() []any {
	createdFrom, createdUntil := timeRange(p.q.CreatedFrom, p.q.CreatedUntil)
	updatedFrom, updatedUntil := timeRange(p.q.UpdatedFrom, p.q.UpdatedUntil)
	return []any{p.workspace, p.q.Deleted, optionalID(p.q.ChatbotID), pqStrings(&p.q.Statuses), p.q.Source, p.address(),
		createdFrom, createdUntil, updatedFrom, updatedUntil, p.value(), p.word(), lead.PhoneEnd(p.q.Phone)}
}

// address is what the key of the email of a lead that fits ends with; "": anything.
func (p *leadSearch) address() string {
	if p.q.AddressKey == "" && p.q.Domain != "" {
		return "@" + p.q.Domain
	}
	return p.q.AddressKey
}

// value is what must be in the metadata of a lead that fits, unless it has escapes; "": anything.
func (p *leadSearch) value() string {
	if len(p.q.Metadata) == 0 {
		return ""
	}
	return p.q.Metadata[0].Value
}

// word is what must be in the name, the email or the metadata of a lead that fits, unless they have escapes or letters
// beyond ASCII; "": anything, as where a phone does instead.
func (p *leadSearch) word() string {
	if p.q.TextPhone != "" {
		return ""
	}
	for _, w := range p.q.Text {
		if strings.IndexFunc(w, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
			return w
		}
	}
	return ""
}
