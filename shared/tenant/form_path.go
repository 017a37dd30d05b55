package tenant

import "strings"

// Limits of a path.
const (
	maxPath  = 300 // bytes
	maxSteps = 12
)

// Step is one step of a path into what a form sends: to the member called Name or, where Select is set, to the items
// whose member Name is Value.
type Step struct {
	Name, Value string
	Select      bool
}

// ParsePath reads a path: names with a dot between them or in brackets, and [name=value], which selects items of a
// list: payload.data.email, fields[email][value], answers[type=email].email. Brackets may be empty, as PHP has them.
func ParsePath(path string) (steps []Step, ok bool) {
	if path == "" || len(path) > maxPath {
		return nil, false
	}
	for rest := path; rest != ""; {
		var s Step
		if inner, after, closed := strings.Cut(rest, "]"); rest[0] == '[' {
			if !closed {
				return nil, false
			}
			s.Name, s.Value, s.Select = strings.Cut(inner[1:], "=")
			rest = strings.TrimPrefix(after, ".")
		} else {
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			s.Name, rest = rest[:end], strings.TrimPrefix(rest[end:], ".")
			if s.Name == "" {
				return nil, false
			}
		}
		if s.Name != "" {
			steps = append(steps, s)
		}
	}
	return steps, len(steps) > 0 && len(steps) <= maxSteps
}
