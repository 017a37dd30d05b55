package form

import (
	"strings"

	"leadgate/shared/tenant"
)

// maxFound is how many nodes a path leads to, at most.
const maxFound = 20

// at returns the nodes that a path leads to from the root or, where it leads nowhere, from something inside. A name
// alone is also looked for as that of an answer.
func (n *node) at(path string) (found []*node) {
	steps, ok := tenant.ParsePath(path)
	if !ok {
		return nil
	}
	for _, child := range n.all {
		if len(found) < maxFound && sameName(child.name, path) {
			found = append(found, child)
		}
	}
	if len(found) > 0 {
		return found
	}
	n.follow(steps, &found)
	if len(found) == 0 && !strings.ContainsAny(path, "[]") {
		n.seek(path, maxLevels, &found)
	}
	if len(found) == 0 && len(steps) > 1 {
		n.inner(steps, maxLevels, &found)
	}
	return found
}

// inner appends what steps lead to from the first of the objects in n from which they lead anywhere.
func (n *node) inner(steps []tenant.Step, levels int, found *[]*node) {
	for _, child := range n.within().all {
		if len(*found) > 0 || levels == 0 {
			return
		}
		if child.holds() {
			if child.follow(steps, found); len(*found) == 0 {
				child.inner(steps, levels-1, found)
			}
		}
	}
}

func sameName(name, wanted string) bool {
	prefix, any := strings.CutSuffix(wanted, "*")
	if any {
		return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
	}
	return name == wanted || strings.EqualFold(strings.TrimSpace(name), wanted)
}

// follow appends what steps lead to. Names with dots in them are tried as such: some tools have "data.json".
func (n *node) follow(steps []tenant.Step, found *[]*node) {
	if len(steps) == 0 {
		*found = append(*found, n)
		return
	}
	n = n.within()
	if steps[0].Select {
		for _, item := range n.all {
			if item.has(steps[0]) && len(*found) < maxFound {
				item.follow(steps[1:], found)
			}
		}
		return
	}
	name := ""
	for i, step := range steps {
		if step.Select {
			return
		}
		name = strings.TrimPrefix(name+"."+step.Name, ".")
		for at, child := range n.all {
			if (sameName(child.name, name) || child.name == "" && name == itoa(at)) && len(*found) < maxFound {
				child.follow(steps[i+1:], found)
			}
		}
	}
}

// has reports whether n has the member that a step selects by.
func (n *node) has(step tenant.Step) bool {
	for _, m := range n.within().all {
		if sameName(m.name, step.Name) && strings.EqualFold(m.string(), step.Value) {
			return true
		}
	}
	return false
}

// seek appends the answers that are called so, or the members.
func (n *node) seek(name string, levels int, found *[]*node) {
	if levels == 0 {
		return
	}
	for _, child := range n.within().all {
		if len(*found) == maxFound {
			return
		}
		if a := answerOf(child); a != nil {
			for _, label := range a.labels {
				if sameName(label, name) {
					*found = append(*found, a.value)
					break
				}
			}
			continue
		}
		if sameName(child.name, name) {
			*found = append(*found, child)
			continue
		}
		child.seek(name, levels-1, found)
	}
}
