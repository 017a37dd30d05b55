package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"leadgate/shared/version"
)

// entry is one line of a Procfile: a name and a command without shell syntax.
type entry struct {
	name string
	args []string // args[0] is a program that is built from the directory of its name
}

func (e entry) program() string { return filepath.Base(e.args[0]) }

var procLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(\S.*)$`)

func readProcfile(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []entry
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m := procLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s: %q is not \"name: command\"", path, line)
		}
		if slices.ContainsFunc(all, func(e entry) bool { return e.name == m[1] }) {
			return nil, fmt.Errorf("%s: %s is there twice", path, m[1])
		}
		all = append(all, entry{m[1], strings.Fields(m[2])})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s names no process", path)
	}
	return all, nil
}

// Root is the directory of the nearest Procfile beside a go.mod, from the working directory upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		_, err1 := os.Stat(filepath.Join(at, "Procfile"))
		_, err2 := os.Stat(filepath.Join(at, "go.mod"))
		if err1 == nil && err2 == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no Procfile and go.mod in %s or above: run this inside leadgate's source", dir)
		}
	}
}

// Build compiles the programs that root's Procfile names into bin and stamps them with the commit, as go build by
// itself does not in every checkout; what is up to date is left alone.
func Build(ctx context.Context, root, bin string) error {
	entries, err := readProcfile(filepath.Join(root, "Procfile"))
	if err != nil {
		return err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	if commit := version.OfCheckout(ctx, root); commit != "" {
		args = append(args, "-ldflags", version.LinkerFlag(commit))
	}
	for _, e := range entries {
		if dir := "./" + e.program(); !slices.Contains(args, dir) {
			args = append(args, dir)
		}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	output, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("go is not on PATH: it is needed to build the programs")
	}
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
	return nil
}
