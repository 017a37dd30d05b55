package form

import (
	"slices"
	"strings"

	"leadgate/shared/lead"
)

// answer is what a list of answers says about one: services send one object for each question.
type answer struct {
	labels []string // what was asked, the best for people first; others may be ids
	kind   string   // of what: "email", "INPUT_PHONE_NUMBER"
	value  *node
}

// Names of an answer's members, as plainName has them, the best first.
var (
	valueNames = []string{"answer", "value", "values", "stringvalue", "rawvalue", "response", "fieldvalue",
		"answertext", "responsetext", "text", "content", "val"}
	labelNames = []string{"label", "title", "question", "questiontitle", "questiontext", "columnname", "fieldlabel",
		"fieldtitle", "fieldname", "caption", "heading", "attribute", "property", "variable", "name", "key",
		"slug", "alias", "ref", "columnid", "fieldkey", "field", "id"}
)

// maxAnswer is how many members an object may have that is an answer.
const maxAnswer = 40

func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// noAnswer is found where there is none.
var noAnswer = &answer{}

// answerOf reads an object that is one answer; nil: it is none. An object that has an email or a phone beside its
// value, or with others in it, is a person.
func answerOf(n *node) *answer {
	if n.asked == nil {
		if n.asked = readAnswer(n); n.asked == nil {
			n.asked = noAnswer
		}
	}
	if n.asked == noAnswer {
		return nil
	}
	return n.asked
}

func readAnswer(n *node) *answer {
	if n.kind != objectKind || len(n.all) < 2 || len(n.all) > maxAnswer {
		return nil
	}
	var a answer
	labels := make([]string, len(labelNames))
	best := len(valueNames)
	var byName map[string]*node
	for _, m := range n.all {
		name := plainName(m.name)
		if i := slices.Index(valueNames, name); i >= 0 && i < best && !m.empty() {
			best, a.value = i, m
		}
		if i := slices.Index(labelNames, name); i >= 0 {
			labels[i] = m.labelText()
		}
		if name == "type" && m.kind == textKind {
			a.kind = m.text
		}
		if byName == nil {
			byName = make(map[string]*node, len(n.all))
		}
		byName[name] = m
	}
	// {"type":"email","email":…}, but not {"type":"name","name":"Your name",…}
	kind := plainName(a.kind)
	isLabel := kind == "type" || slices.Contains(labelNames, kind)
	if of := byName[kind]; a.value == nil && kind != "" && of != nil && !isLabel {
		a.value = of
	}
	if n.reaches(a.value) || a.value != nil && len(a.value.all) > 1 && a.value.reaches(nil) {
		return nil
	}
	for _, text := range labels {
		if text != "" {
			a.labels = append(a.labels, text)
		}
	}
	if field := byName["field"]; field != nil && field.kind == objectKind {
		for _, name := range []string{"title", "label", "name", "ref", "id"} {
			for _, m := range field.all {
				if plainName(m.name) == name && m.kind == textKind && m.text != "" {
					a.labels = append(a.labels, m.text)
				}
			}
		}
	}
	if a.value == nil || len(a.labels) == 0 {
		return nil
	}
	a.value = chosen(a.value, byName["options"])
	return &a
}

// reaches reports whether an email or a phone is a member of n, besides one.
func (n *node) reaches(besides *node) bool {
	for _, m := range n.all {
		if field, _ := lead.FieldOf(m.name); m != besides && m.kind == textKind &&
			(field == lead.FieldEmail || field == lead.FieldPhone) {
			return true
		}
	}
	return false
}

func (n *node) labelText() string {
	if n.kind == textKind {
		return strings.TrimSpace(n.text)
	}
	return ""
}

// chosen returns what people read of a choice: its label, or those of the options whose ids the answer has.
func chosen(value, options *node) *node {
	if value.kind == objectKind {
		for _, name := range []string{"label", "labels", "text"} {
			for _, m := range value.all {
				if m.name == name {
					return m
				}
			}
		}
		return value
	}
	if options == nil || options.kind != listKind || len(options.all) > maxNodes/10 {
		return value
	}
	texts := map[string]string{}
	for _, option := range options.all {
		id, text := "", ""
		for _, m := range option.all {
			switch m.name {
			case "id":
				id = m.text
			case "text":
				text = m.text
			}
		}
		texts[id] = text
	}
	if value.kind == textKind && texts[value.text] != "" {
		return &node{text: texts[value.text], parent: value.parent}
	}
	list := &node{kind: listKind, parent: value.parent}
	for _, item := range value.all {
		if item.kind != textKind || texts[item.text] == "" {
			return value
		}
		list.add(&node{text: texts[item.text]})
	}
	if len(list.all) == 0 {
		return value
	}
	return list
}

// question is what the description of a form says about one.
type question struct{ title, kind string }

// maxQuestions is how many questions are learned from a description.
const maxQuestions = 2000

// isDescription reports whether a member of this name describes the form: it is no answer, and is not kept.
func isDescription(name string) bool {
	switch plainName(name) {
	case "definition", "fieldstructure", "formstructure":
		return true
	}
	return false
}

// learn collects the questions of a description, by what answers call them.
func learn(n *node, all map[string]question) {
	var q question
	var ids []string
	for _, m := range n.within().all {
		if m.holds() {
			learn(m, all)
			continue
		}
		switch strings.ToLower(m.name) {
		case "title", "label":
			q.title = strings.TrimSpace(m.text)
		case "type":
			q.kind = m.text
		case "id", "ref":
			ids = append(ids, m.text)
		}
	}
	for _, id := range ids {
		if id != "" && q.title != "" && len(all) < maxQuestions {
			all[id] = q
		}
	}
}
