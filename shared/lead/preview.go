package lead

import "encoding/json"

// Preview is a Draft as previews of forms and files show it: what the lead would be.
type Preview struct {
	Email    *string         `json:"email"`
	Name     *string         `json:"name"`
	Phone    *string         `json:"phone"`
	Source   string          `json:"source"`
	Status   string          `json:"status"`
	Metadata json.RawMessage `json:"metadata"`
}

// Preview returns d as previews show it.
func (d *Draft) Preview() *Preview {
	optional := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	return &Preview{optional(d.Email), optional(d.Name), optional(d.Phone), d.Source, d.Status, d.Metadata}
}
