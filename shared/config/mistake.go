package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// ErrBad is the error of a configuration with mistakes, as against that of a start that went wrong.
var ErrBad = errors.New("configuration")

// Errors joins mistakes into one ErrBad with a line each, or nil.
func Errors(mistakes []error) error {
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrBad, errors.Join(mistakes...))
}

// Exit prints err, if there is one, and returns the exit code: 0 for nil, 2 for ErrBad, 1 for anything else, which is told in one line.
func Exit(stderr io.Writer, name string, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrBad):
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 2
	default:
		fmt.Fprintf(stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
}

// wrong is a mistake in the value of one flag.
type wrong struct {
	flag, text string
}

func (w wrong) Error() string { return "--" + w.flag + ": " + w.text }

// Wrong is a mistake of a Checker: flag, without dashes, and what would be right. Parse adds the variable's name.
func Wrong(flag, format string, args ...any) error {
	return wrong{flag, fmt.Sprintf(format, args...)}
}

// mistakes collects what kong would otherwise report one at a time.
type mistakes struct {
	list     []error
	from     map[string]string // flag -> variable
	required map[*kong.Flag]bool
	seen     map[string]bool // flags that have a mistake; the first says enough
}

// watch takes over from kong what ends a parse early: values that do not decode, and required flags.
func (m *mistakes) watch(model *kong.Application) {
	m.from, m.required, m.seen = map[string]string{}, map[*kong.Flag]bool{}, map[string]bool{}
	// Never fails: the visitor below returns no error of its own.
	_ = kong.Visit(model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			m.from[flag.Name] = flag.Tag.Get("from")
			m.required[flag] = flag.Required
			flag.Required = false
			t := &tolerant{Mapper: flag.Mapper, flag: flag.Name, found: m}
			if flag.Enum != "" {
				t.enum = flag.EnumSlice()
				flag.Enum, flag.Tag.Enum = "", "" // t checks it
			}
			flag.Mapper = t
		}
		return next(nil)
	})
}

// add records a mistake; flag is "" for one that belongs to none.
func (m *mistakes) add(flag string, err error) {
	if flag != "" {
		if m.seen[flag] {
			return
		}
		m.seen[flag] = true
		name := "--" + flag
		if from := m.from[flag]; from != "" {
			name += " (" + from + ")"
		}
		err = fmt.Errorf("%s: %w", name, err)
	}
	m.list = append(m.list, err)
}

// missing adds every required flag of the chosen command that nothing gave a value.
func (m *mistakes) missing(ctx *kong.Context) {
	for _, path := range ctx.Path {
		for _, flag := range path.Flags {
			empty := flag.Target.Kind() == reflect.String && flag.Target.Len() == 0
			if m.required[flag] && (!flag.Set || empty) {
				m.add(flag.Name, errors.New("required"))
			}
		}
	}
}

// unknownCommand says what kong calls an unexpected argument where a command should stand; nil where none should.
func unknownCommand(node *kong.Node, args []string, err error) error {
	rest, found := strings.CutPrefix(err.Error(), "unexpected argument ")
	if !found {
		return nil
	}
	program, path := node.Name, ""
	for _, arg := range args {
		if i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == arg }); i >= 0 {
			node, path = node.Children[i], path+" "+arg
		}
	}
	if len(node.Children) == 0 {
		return nil
	}
	return fmt.Errorf("no such command%s %s; see %s%s --help", path, rest, program, path)
}

// CheckAddress says what is wrong with a host:port to listen on. Port 0 takes a free one.
func CheckAddress(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not host:port", text)
	}
	return nil
}

// check asks into and the chosen commands what they find.
func (m *mistakes) check(into any, ctx *kong.Context) {
	checkers := []any{into}
	for _, path := range ctx.Path {
		if path.Command != nil && path.Command.Target.CanAddr() {
			checkers = append(checkers, path.Command.Target.Addr().Interface())
		}
	}
	before := maps.Clone(m.seen) // of what is wrong already nothing more is said, of the rest everything
	for _, c := range checkers {
		checker, ok := c.(Checker)
		if !ok {
			continue
		}
		for _, err := range checker.Check() {
			var w wrong
			if errors.As(err, &w) {
				if !before[w.flag] {
					m.seen[w.flag] = false
					m.add(w.flag, errors.New(w.text))
				}
			} else {
				m.add("", err)
			}
		}
	}
}

// tolerant notes a value that does not decode and lets the parse go on.
type tolerant struct {
	kong.Mapper
	flag  string
	enum  []string // empty: anything goes
	found *mistakes
}

func (t *tolerant) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if err := t.Mapper.Decode(ctx, target); err != nil {
		t.found.add(t.flag, err)
	} else if len(t.enum) > 0 && !slices.Contains(t.enum, fmt.Sprint(target)) {
		t.found.add(t.flag, fmt.Errorf("must be one of %s, not %q", strings.Join(t.enum, ", "), fmt.Sprint(target)))
	}
	return nil
}

// IsBool keeps a boolean flag usable without a value.
func (t *tolerant) IsBool() bool {
	b, ok := t.Mapper.(kong.BoolMapper)
	return ok && b.IsBool()
}
