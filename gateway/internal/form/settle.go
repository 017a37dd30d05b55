package form

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"leadgate/shared/lead"
)

// take adds a pick that is certain.
func (d *finder) take(p pick) {
	if p.value.taken || p.value.empty() {
		return
	}
	p.value.taken = true
	d.picks = append(d.picks, p)
}

// settle decides which of all that was found is the lead's. The email comes first: a name belongs to it where it stands
// beside it, answers a question, or is called a person's.
func (d *finder) settle() []pick {
	email := d.email()
	var home, address *node
	if email != nil {
		home, address = email.in, email.value
	}
	d.strangers(email)
	d.number()
	d.numbered(home)
	human := slices.ContainsFunc(d.picks, func(p pick) bool { return p.in == home && p.ofHuman() })
	kept := d.picks[:0]
	for _, p := range d.picks {
		stray := p.to == lead.FieldName && p.rank > 0 && !p.sure && p.in != home && !p.value.holds() &&
			!isPerson(p.in.called()) && !isAnswers(p.in.called())
		// what has a name that only people have beside the email is the person, whatever it is called: an event that is
		// told of. What a thing is called is no person's name, but in a form, which some call after what it is for.
		other := p.other && !(p.in == home && (p.ofHuman() || human && p.to != lead.FieldName ||
			p.to == lead.FieldName && p.in.isForm()))
		if p.rank > mapped/2 && p.value != address && (other || stray) {
			continue
		}
		p.value.taken = true
		p.value.open()
		kept = append(kept, p)
	}
	away := func(p pick) int {
		if p.in == home || p.rank < mapped/2 {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(kept, func(a, b pick) int {
		return cmp.Or(cmp.Compare(away(a), away(b)), cmp.Compare(a.rank, b.rank), cmp.Compare(a.depth, b.depth))
	})
	of := map[string]int{}
	for i := range kept { // the order is all that is left of the ranks
		kept[i].rank = of[kept[i].to]
		of[kept[i].to]++
	}
	return kept
}

// ofHuman reports whether p is called what only people have: a first, last or full name.
func (p *pick) ofHuman() bool {
	return p.to == lead.FieldFirstName || p.to == lead.FieldLastName || p.to == lead.FieldName && p.rank <= 0
}

// strangers marks what stands beside another's email: an object that has an email which is not the lead's is another
// person, or a thing.
func (d *finder) strangers(email *pick) {
	if email == nil {
		return
	}
	key, _ := lead.EmailKey(email.text())
	found := map[*node]bool{}
	for _, p := range d.picks {
		if p.to != lead.FieldEmail || p.sure || p.in == email.in || p.in == d.root {
			continue
		}
		if k, ok := lead.EmailKey(p.text()); ok && k != key && !email.in.inAny(map[*node]bool{p.in: true}) {
			found[p.in] = true
		}
	}
	if len(found) == 0 {
		return
	}
	for i := range d.picks {
		d.picks[i].other = d.picks[i].other || d.picks[i].in.inAny(found)
	}
}

// email returns the best of the emails, those that are addresses before those that are not, and the person's before
// those of what can be anybody; where there is none, the one address that some other value is.
func (d *finder) email() (best *pick) {
	worth := func(p *pick) int {
		n := p.rank*maxLevels + p.depth
		if _, ok := lead.EmailKey(p.text()); !ok {
			n += 10_000_000
		}
		switch {
		case p.other:
			n += 1_000_000
		case p.rank < byKind && p.sure, p.in.personal():
		default:
			n += 100_000
		}
		return n
	}
	for i := range d.picks {
		p := &d.picks[i]
		if p.to == lead.FieldEmail && (best == nil || worth(p) < worth(best)) {
			best = p
		}
	}
	if best != nil {
		if _, ok := lead.EmailKey(best.text()); ok {
			return best
		}
	}
	addresses := d.addresses
	if len(addresses) == 0 {
		addresses = d.others
	}
	if n := only(addresses, strings.ToLower); n != nil {
		d.picks = append(d.picks, pick{to: lead.FieldEmail, value: n, name: cmp.Or(n.label, n.name), in: n.parent, rank: 999})
		best = &d.picks[len(d.picks)-1]
	}
	return best
}

// number takes the one phone number that a value without a telling name is, where no other phone was found.
func (d *finder) number() {
	if slices.ContainsFunc(d.picks, func(p pick) bool { return p.to == lead.FieldPhone && !p.other }) {
		return
	}
	digits := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, text)
	}
	if n := only(d.numbers, digits); n != nil {
		d.picks = append(d.picks, pick{to: lead.FieldPhone, value: n, name: cmp.Or(n.label, n.name), in: n.parent, rank: 999})
	}
}

// only returns the first of nodes whose texts are all the same; nil: there is none, or others.
func only(nodes []*node, plain func(string) string) *node {
	for _, n := range nodes {
		if plain(strings.TrimSpace(n.text)) != plain(strings.TrimSpace(nodes[0].text)) {
			return nil
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	return nodes[0]
}

// numbered takes the parts of a name that have numbers for names, beside the email: Gravity Forms sends the first as
// 1.3 or input_1.3 and the last as 1.6. An address has other parts too, from 1 to 6.
func (d *finder) numbered(home *node) {
	if home == nil || slices.ContainsFunc(d.picks, func(p pick) bool {
		return !p.other && (p.to == lead.FieldName || p.to == lead.FieldFirstName || p.to == lead.FieldLastName)
	}) {
		return
	}
	parts := map[string]*node{}
	for _, n := range home.all {
		if n.kind == textKind && !n.empty() {
			parts[n.name] = n
		}
	}
	for _, n := range home.all {
		field, ok := strings.CutSuffix(n.name, ".3")
		first, last := parts[field+".3"], parts[field+".6"]
		if !ok || first == nil || last == nil || parts[field+".1"] != nil || parts[field+".5"] != nil ||
			strings.ContainsFunc(strings.TrimPrefix(field, "input_"), func(r rune) bool { return !unicode.IsDigit(r) }) {
			continue
		}
		d.picks = append(d.picks, pick{to: lead.FieldFirstName, value: first, name: first.name, in: home},
			pick{to: lead.FieldLastName, value: last, name: last.name, in: home})
		return
	}
}
