// Package config turns flags and environment into one checked struct: every error at once, no secret ever printed.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Secret is text that must not be printed. Its String is "***"; Reveal gives the text.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the text from %#v too.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the text from encoders and loggers.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text as it is; leading and trailing white space, as files have it, is removed.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(strings.TrimSpace(string(text)))
	return nil
}

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// WatchedSecret is a Secret that can change while the process runs, where NAME_FILE names the file that holds it.
type WatchedSecret struct {
	Secret        // as it was at the start
	File   string // "": it never changes
}

// Start returns the file, and the text as it was at the start.
func (s WatchedSecret) Start() (file, text string) { return s.File, s.Reveal() }

// Current returns the text that the file holds now.
func (s WatchedSecret) Current() (string, error) { return current(s.Start()) }

// WatchedText is a text that is no secret and can change in the same way.
type WatchedText struct {
	Text string // as it was at the start
	File string // "": it never changes
}

func (t WatchedText) String() string { return t.Text }

// UnmarshalText reads the text as a Secret does.
func (t *WatchedText) UnmarshalText(text []byte) error {
	t.Text = strings.TrimSpace(string(text))
	return nil
}

// Start returns the file, and the text as it was at the start.
func (t WatchedText) Start() (file, text string) { return t.File, t.Text }

// Current returns the text that the file holds now.
func (t WatchedText) Current() (string, error) { return current(t.Start()) }

func current(file, start string) (string, error) {
	if file == "" {
		return start, nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

// Checker is a config struct that returns everything that is invalid in it, preferably as Invalid.
// Parse asks the struct it filled and that of each command on the command line.
type Checker interface{ Check() []error }

// Source is where a process gets its configuration from.
type Source struct {
	Args []string // without the program's name
	// the environment; NAME_FILE names a file that holds NAME's value; only one of them may be set
	Getenv  func(string) string
	Stdout  io.Writer // for --help
	Version string    // what a Version flag prints
}

// Version is the type of a flag that prints Source.Version and ends the program.
type Version = kong.VersionFlag

// Parse fills the kong struct into and returns the command line it understood. ok is false when --help or a Version was
// asked for and printed. name and about head the help page; the names of `from:"NAME"` tags are read through
// src.Getenv, so that tests need no process environment. The error is ErrInvalid and lists every invalid flag.
// `required:""` is met by a flag, a variable or a file.
func Parse(into any, name, about string, src Source) (ctx *kong.Context, ok bool, err error) {
	exited := false
	found := &collector{}
	parser, err := kong.New(into, kong.Name(name), kong.Description(about), kong.Writers(src.Stdout, src.Stdout),
		kong.Exit(func(int) { exited = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ValueFormatter(describe), kong.Vars{"version": src.Version}, kong.Resolvers(environment(src.Getenv, found)))
	if err != nil {
		return nil, false, fmt.Errorf("config: %w", err)
	}
	found.watch(parser.Model)
	ctx, err = parser.Parse(src.Args)
	if exited {
		return nil, false, nil
	}
	if err != nil {
		if unknown := unknownCommand(parser.Model.Node, src.Args, err); unknown != nil {
			return nil, false, Errors([]error{unknown})
		}
		found.add("", err)
		var stopped *kong.ParseError
		// it read the whole line, so what it did not see is missing
		if errors.As(err, &stopped) && stopped.Context.Error == nil {
			found.missing(stopped.Context)
		}
		return nil, false, Errors(found.list)
	}
	found.missing(ctx)
	found.keepFiles()
	found.check(into, ctx)
	return ctx, len(found.list) == 0, Errors(found.list)
}

// environment resolves a flag by its `from:"NAME"` tag: NAME, or the content of the file NAME_FILE names.
// The tag is ours and not kong's env, because kong reads only the process environment and no files.
func environment(getenv func(string) string, found *collector) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		name := flag.Tag.Get("from")
		if name == "" {
			return nil, nil
		}
		v, file := getenv(name), getenv(name+"_FILE")
		switch {
		case v != "" && file != "":
			found.add(flag.Name, fmt.Errorf("%s_FILE is set as well: set one of them", name))
			return nil, nil
		case v != "":
			return v, nil
		case file == "":
			return nil, nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			found.add(flag.Name, fmt.Errorf("%s_FILE: %w", name, err))
			return nil, nil
		}
		found.files[flag] = file
		return strings.TrimSpace(string(text)), nil
	})
}

// describe adds to a flag's help where else its value may come from.
func describe(v *kong.Value) string {
	text := v.Help
	if name := v.Tag.Get("from"); name != "" {
		text += " [" + name + "]"
	}
	return strings.TrimSpace(text)
}
