package form

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

func itoa(n int) string { return strconv.Itoa(n) }

// pick is a value of a submission that goes to a field of the lead.
type pick struct {
	to    string // one of tenant.FormTargets, or a member of metadata
	value *node
	name  string // what the form calls it
	in    *node  // the object or list in which it is
	rank  int    // as of lead.FieldOf; below 0: the form's own mapping says so
	depth int
	sure  bool // it is an answer to a question, and no part of another thing
	other bool // it is in what describes another thing: a company, a page
}

// mapped is below the rank of everything that is guessed.
const mapped = -10_000

// finder finds out which parts of a submission are fields of a lead.
type finder struct {
	root      *node
	questions map[string]question
	picks     []pick
	addresses []*node // texts that are an email and nothing else
	others    []*node // the same in what describes another thing
	numbers   []*node // texts that are a phone number and nothing else
}

// find returns what goes to the fields of a lead: first what the form's mapping says, then what can be guessed. Of
// everything else in root it marks what is not kept.
func find(root *node, f tenant.Form) []pick {
	d := &finder{root: root, questions: map[string]question{}}
	fields, ignore := f.Mapping()
	for _, target := range slices.Sorted(maps.Keys(fields)) {
		for i, path := range fields[target] {
			for _, n := range root.at(path) {
				d.take(pick{to: target, value: n, name: cmp.Or(n.name, path), in: n.parent, rank: mapped + i, sure: true})
			}
		}
	}
	for _, path := range ignore {
		for _, n := range root.at(path) {
			n.hidden = true
			n.drop()
		}
	}
	d.describe(root, maxLevels)
	d.look(root, 0, false)
	return d.settle()
}

// drop keeps n, and all that is in it, out of metadata.
func (n *node) drop() {
	n.gone = true
	n.open()
}

// open says that something in the nodes around n goes another way than they.
func (n *node) open() {
	for at := n.parent; at != nil && !at.opened; at = at.parent {
		at.opened = true
	}
}

// describe learns the form's questions from descriptions of it.
func (d *finder) describe(n *node, levels int) {
	for _, child := range n.within().all {
		switch {
		case !child.holds() || levels == 0:
		case isDescription(child.name):
			learn(child, d.questions)
			child.drop()
		default:
			d.describe(child, levels-1)
		}
	}
}

// look searches the children of n.
func (d *finder) look(n *node, depth int, other bool) {
	in := n.within()
	for _, child := range in.all {
		if child.gone || child.taken || child.empty() {
			continue
		}
		if a := answerOf(child); a != nil {
			d.answered(child, a, in, depth, other)
			continue
		}
		q := d.questions[child.name]
		child.label = q.title
		p := pick{value: child, name: cmp.Or(q.title, child.name), in: in, depth: depth, sure: q.title != "", other: other}
		switch {
		case d.means(&p, []string{q.title, child.name, ownName(child.name)}, q.kind):
			d.picks = append(d.picks, p)
		case child.holds():
			d.look(child, depth+1, isOther(child.name) || other && !isPerson(child.name) && !isAnswers(child.name))
			continue
		case campaignName(child.name) != "":
			child.open()
		}
		d.note(child, other)
	}
}

// answered takes one of a list of answers.
func (d *finder) answered(child *node, a *answer, in *node, depth int, other bool) {
	labels, kind := a.labels, a.kind
	for _, id := range a.labels {
		if q, known := d.questions[id]; known {
			labels, kind = append([]string{q.title}, labels...), cmp.Or(q.kind, kind)
			break
		}
	}
	child.label, child.answer = labels[0], a.value
	child.open()
	if a.value.taken {
		return
	}
	if child.name != "" && !strings.ContainsAny(child.name[:1], "0123456789") {
		labels = append(labels, child.name)
	}
	p := pick{value: a.value, name: labels[0], in: in, depth: depth, sure: true, other: other}
	if d.means(&p, labels, kind) {
		p.other = other || p.rank == byKind && saysOther(p.name)
		d.picks = append(d.picks, p)
	}
	d.note(a.value, other)
}

// means finds out which field is meant by what a form calls a value, or by the kind that it says the value has.
func (d *finder) means(p *pick, labels []string, kind string) bool {
	for _, label := range labels {
		if field, rank := lead.FieldOf(label); slices.Contains(tenant.FormTargets(), field) {
			p.to, p.rank = field, rank
			break
		}
	}
	if field, _ := lead.FieldOf(kind); p.to == "" && slices.Contains(tenant.FormTargets(), field) {
		p.to, p.rank = field, byKind
	}
	if p.to == "" {
		return false
	}
	text := p.text()
	switch {
	case text == "":
		return false
	case p.value.holds() && p.to == lead.FieldEmail:
		return strings.ContainsAny(text, "@＠")
	case p.to == lead.FieldPhone:
		return lead.CanBePhone(p.rank, text) && (strings.ContainsFunc(text, unicode.IsDigit) || !p.value.holds())
	case p.to != lead.FieldEmail:
		return strings.ContainsFunc(text, unicode.IsLetter)
	}
	return true
}

// byKind is the rank of what only the kind of an answer says.
const byKind = 50

// text returns the text that the value is for its field.
func (p *pick) text() string {
	if p.value.kind == textKind && p.value.inside == nil {
		return p.value.text
	}
	text, _ := lead.TextOf(p.to, p.value.within().json())
	return text
}

// note remembers a text that is an address or a number and nothing else.
func (d *finder) note(n *node, other bool) {
	if n.kind != textKind {
		return
	}
	text := strings.TrimSpace(n.text)
	switch {
	case strings.Contains(text, "@"):
		_, _, ok := lead.ParseEmail(text)
		if !ok && strings.HasSuffix(text, ">") {
			_, ok = lead.EmailKey(text)
		}
		if ok && (other || saysOther(cmp.Or(n.label, n.name))) {
			d.others = append(d.others, n)
		} else if ok {
			d.addresses = append(d.addresses, n)
		}
	case other:
	case strings.HasPrefix(text, "+") && len(text) < lead.MaxPhone && isOpaque(cmp.Or(n.label, n.name)):
		digits := 0
		for _, r := range text {
			switch {
			case r >= '0' && r <= '9':
				digits++
			case !strings.ContainsRune("+ ()-./", r):
				return
			}
		}
		if digits >= 7 && digits <= 15 {
			d.numbers = append(d.numbers, n)
		}
	}
}
