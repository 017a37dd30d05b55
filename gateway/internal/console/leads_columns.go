package console

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// leadColumn is one of the list of leads: a field of a lead, or with the prefix meta. one of its metadata.
type leadColumn struct {
	Name, Label string
	Shown       bool
}

const (
	maxColumns    = 20
	maxMetaChoice = 30 // columns of metadata that are offered
	metaColumn    = "meta."
)

var (
	fieldColumns = []leadColumn{{Name: "email", Label: "Email"}, {Name: "name", Label: "Name"},
		{Name: "phone", Label: "Phone"}, {Name: "status", Label: "Status"}, {Name: "source", Label: "Source"},
		{Name: "chatbot", Label: "Chatbot"},
		{Name: "createdAt", Label: "Came"}, {Name: "updatedAt", Label: "Changed"}}
	usualColumns = []string{"email", "name", "status", "source", "createdAt"}
)

// cell is what a column shows of a lead. At most one is set.
type cell struct{ Text, Status, Time string }

// chosenColumns are the columns that were chosen, and all that can be: of metadata those of the leads on the page.
func chosenColumns(names []string, leads []lead) (chosen, choices []leadColumn) {
	if len(names) == 0 {
		names = usualColumns
	}
	keys := []string{}
	for _, name := range names {
		if key, ok := strings.CutPrefix(name, metaColumn); ok && key != "" {
			keys = append(keys, key)
		}
	}
	for i := range leads {
		for _, m := range members(leads[i].Metadata) {
			if len(keys) < maxMetaChoice && !slices.Contains(keys, m.Key) {
				keys = append(keys, m.Key)
			}
		}
	}
	choices = slices.Clone(fieldColumns)
	for _, key := range keys {
		choices = append(choices, leadColumn{Name: metaColumn + key, Label: key})
	}
	for i := range choices {
		choices[i].Shown = slices.Contains(names, choices[i].Name)
	}
	for _, name := range names {
		if i := slices.IndexFunc(choices, func(c leadColumn) bool { return c.Name == name }); i >= 0 {
			chosen = append(chosen, choices[i])
		}
	}
	return chosen, choices
}

// cells are what the columns show of a lead.
func cells(l *lead, columns []leadColumn, chatbots []chatbot) []cell {
	metadata := map[string]string{}
	for _, m := range members(l.Metadata) {
		metadata[m.Key] = m.Text
	}
	all := make([]cell, 0, len(columns))
	for _, c := range columns {
		switch c.Name {
		case "email":
			all = append(all, cell{Text: l.Email})
		case "name":
			all = append(all, cell{Text: l.Name})
		case "phone":
			all = append(all, cell{Text: l.Phone})
		case "status":
			all = append(all, cell{Status: l.Status})
		case "source":
			all = append(all, cell{Text: l.Source})
		case "chatbot":
			all = append(all, cell{Text: chatbotName(l.ChatbotID, chatbots)})
		case "createdAt":
			all = append(all, cell{Time: l.CreatedAt})
		case "updatedAt":
			all = append(all, cell{Time: l.UpdatedAt})
		default:
			all = append(all, cell{Text: metadata[strings.TrimPrefix(c.Name, metaColumn)]})
		}
	}
	return all
}

func chatbotName(id string, chatbots []chatbot) string {
	for _, c := range chatbots {
		if c.ID == id {
			return c.Name
		}
	}
	return id
}

// member is one of a JSON object, in the order in which it has them.
type member struct {
	Key, Text string          // Text is a string as it is, anything else as JSON
	JSON      json.RawMessage // the value
}

// IsText reports whether the value is a string.
func (m *member) IsText() bool { return len(m.JSON) > 0 && m.JSON[0] == '"' }

// longText is how many bytes a value may have until it gets a box of its own, which scrolls.
const longText = 300

// Boxed reports whether the value has parts or lines, or is long.
func (m *member) Boxed() bool {
	return len(m.Text) > longText || strings.Contains(m.Text, "\n") ||
		len(m.JSON) > 0 && strings.ContainsRune("{[", rune(m.JSON[0]))
}

// members returns those of an object of the API, which is valid; of null there are none.
func members(object json.RawMessage) (all []member) {
	d := json.NewDecoder(strings.NewReader(string(object)))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		key, ok := name.(string)
		m := member{Key: key}
		if err != nil || !ok || d.Decode(&m.JSON) != nil {
			return all
		}
		if json.Unmarshal(m.JSON, &m.Text) != nil || !m.IsText() {
			m.Text = indented(m.JSON)
		}
		all = append(all, m)
	}
	return all
}

func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil { // unlike MarshalIndent it escapes nothing: the template does
		return string(raw)
	}
	return b.String()
}
