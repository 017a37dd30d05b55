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

// ErrInvalid is the error of an invalid configuration, as opposed to that of a start that failed.
var ErrInvalid = errors.New("configuration")

// Errors joins errors into one ErrInvalid with a line each, or nil.
func Errors(invalid []error) error {
	if len(invalid) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(invalid...))
}

// Exit prints err, if there is one, and returns the exit code: 0 for nil, 2 for ErrInvalid, 1 for anything else, which
// is one line.
func Exit(stderr io.Writer, name string, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrInvalid):
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 2
	default:
		fmt.Fprintf(stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
}

// invalidFlag is an error in the value of one flag.
type invalidFlag struct {
	flag, text string
}

func (f invalidFlag) Error() string { return "--" + f.flag + ": " + f.text }

// Invalid is an error of a Checker: flag, without dashes, and what is expected. Parse adds the variable's name.
func Invalid(flag, format string, args ...any) error {
	return invalidFlag{flag, fmt.Sprintf(format, args...)}
}

// collector collects the errors that kong would otherwise report one at a time.
type collector struct {
	list     []error
	from     map[string]string // flag -> variable
	required map[*kong.Flag]bool
	seen     map[string]bool       // flags that have an error; the first is enough
	files    map[*kong.Flag]string // which hold the values of flags
}

// watch takes over from kong what ends a parse early: values that do not decode, and required flags without one.
func (m *collector) watch(model *kong.Application) {
	m.from, m.required, m.seen = map[string]string{}, map[*kong.Flag]bool{}, map[string]bool{}
	m.files = map[*kong.Flag]string{}
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

// keepFiles tells each WatchedSecret and WatchedText its file. It comes after the parse, which decodes into copies.
func (m *collector) keepFiles() {
	for flag, file := range m.files {
		switch watched := flag.Target.Addr().Interface().(type) {
		case *WatchedSecret:
			watched.File = file
		case *WatchedText:
			watched.File = file
		}
	}
}

// add records an error; flag is "" for one that belongs to no flag.
func (m *collector) add(flag string, err error) {
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

// missing adds every required flag of the chosen command that has no value.
func (m *collector) missing(ctx *kong.Context) {
	for _, path := range ctx.Path {
		for _, flag := range path.Flags {
			empty := flag.Target.Kind() == reflect.String && flag.Target.Len() == 0
			if m.required[flag] && (!flag.Set || empty) {
				m.add(flag.Name, errors.New("required"))
			}
		}
	}
}

// unknownCommand returns a clear error for what kong calls an unexpected argument where a command is expected, else
// nil.
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

// CheckAddress returns an error unless text is a host:port to listen on. Port 0 is any free one.
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

// check asks into and the chosen commands for what is invalid in them.
func (m *collector) check(into any, ctx *kong.Context) {
	checkers := []any{into}
	for _, path := range ctx.Path {
		if path.Command != nil && path.Command.Target.CanAddr() {
			checkers = append(checkers, path.Command.Target.Addr().Interface())
		}
	}
	before := maps.Clone(m.seen) // a flag that has an error already gets no more of them, any other gets all
	for _, c := range checkers {
		checker, ok := c.(Checker)
		if !ok {
			continue
		}
		for _, err := range checker.Check() {
			var f invalidFlag
			if errors.As(err, &f) {
				if !before[f.flag] {
					m.seen[f.flag] = false
					m.add(f.flag, errors.New(f.text))
				}
			} else {
				m.add("", err)
			}
		}
	}
}

// tolerant records a value that does not decode and lets the parse go on.
type tolerant struct {
	kong.Mapper
	flag  string
	enum  []string // empty: any value
	found *collector
}

func (t *tolerant) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if err := t.Mapper.Decode(ctx, target); err != nil {
		t.found.add(t.flag, err)
	} else if len(t.enum) > 0 && !slices.Contains(t.enum, fmt.Sprint(target)) {
		t.found.add(t.flag, fmt.Errorf("must be one of %s, not %q", strings.Join(t.enum, ", "), fmt.Sprint(target)))
	}
	return nil
}

// IsBool reports whether the flag may stand without a value.
func (t *tolerant) IsBool() bool {
	b, ok := t.Mapper.(kong.BoolMapper)
	return ok && b.IsBool()
}
