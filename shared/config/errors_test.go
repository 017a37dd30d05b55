package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/config"
)

// tool is a command line such as the binaries have: a default command, flags of the whole and of one command.
type tool struct {
	Database config.Secret `required:"" from:"DATABASE_URL" help:"Where the data is."`
	Conns    int           `default:"16" from:"CONNS" help:"Connections."`
	Level    string        `default:"info" enum:"debug,info" from:"LEVEL" help:"Level."`
	Run      struct {
		Token config.Secret `required:"" from:"TOKEN" help:"Opens the door."`
		Loud  bool          `from:"LOUD" help:"Talk."`
		Grace time.Duration `default:"20s" from:"GRACE" help:"How long."`
	} `cmd:"" default:"withargs" help:"Run."`
	Move struct{} `cmd:"" help:"Move."`
}

func (t *tool) Check() []error {
	if t.Conns < 1 {
		return []error{config.Invalid("conns", "must be at least 1, not %d", t.Conns)}
	}
	return nil
}

// parse runs Parse with an environment of its own.
func parse(t *testing.T, env map[string]string, args ...string) (tool, string, error) {
	t.Helper()
	var into tool
	ctx, ok, err := config.Parse(&into, "tool", "A tool.", config.Source{
		Args: args, Getenv: func(k string) string { return env[k] }, Stdout: &bytes.Buffer{}})
	if err != nil || !ok {
		return into, "", err
	}
	return into, ctx.Command(), nil
}

func TestParseTellsEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	env := map[string]string{"LEVEL": "loud", "CONNS": "many", "GRACE": "soon", "LOUD": "maybe",
		"TOKEN_FILE": "/nowhere/token"}
	_, _, err := parse(t, env)
	if !errors.Is(err, config.ErrInvalid) {
		t.Fatalf("Parse() = %v, want ErrInvalid", err)
	}
	for _, want := range []string{"--database (DATABASE_URL): required", "--conns (CONNS): ",
		"--level (LEVEL): must be one of debug, info", "--grace (GRACE): ", "--loud (LOUD): ",
		"--token (TOKEN): TOKEN_FILE: "} {
		if got := strings.Count(err.Error(), want); got != 1 {
			t.Errorf("Parse() tells %q %d times, want once:\n%v", want, got, err)
		}
	}
	if got := strings.Count(err.Error(), "\n"); got != 6 {
		t.Errorf("Parse() tells %d mistakes, want 6:\n%v", got, err)
	}
}

func TestParseAsksTheChecker(t *testing.T) {
	t.Parallel()
	_, _, err := parse(t, map[string]string{"CONNS": "-3"}, "move")
	want := "configuration:\n--database (DATABASE_URL): required\n--conns (CONNS): must be at least 1, not -3"
	if err == nil || err.Error() != want {
		t.Errorf("Parse() = %v, want %s", err, want)
	}
}

func TestParseTakesFlagThenVariableThenFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DATABASE_URL": "from variable", "TOKEN_FILE": file, "LOUD": "true", "GRACE": "3s"}
	got, command, err := parse(t, env, "--grace=5s")
	if err != nil {
		t.Fatalf("Parse() = %v, want no mistake", err)
	}
	var want tool
	want.Level = "info"
	want.Database, want.Conns, want.Run.Token, want.Run.Loud, want.Run.Grace = "from variable", 16, "from file", true,
		5*time.Second
	if diff := cmp.Diff(want, got); diff != "" || command != "run" {
		t.Errorf("Parse() of %q (-want +got):\n%s", command, diff)
	}
	env["TOKEN"] = "from variable"
	both := "configuration:\n--token (TOKEN): TOKEN_FILE is set as well: set one of them"
	if _, _, err = parse(t, env, "run", "--loud"); err == nil || err.Error() != both {
		t.Errorf("Parse() with TOKEN and TOKEN_FILE = %v, want %s", err, both)
	}
}

func TestParseRequiresOnlyWhatTheCommandNeeds(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"move", "--database=x"}, {"--database=x", "move"}} {
		if _, command, err := parse(t, map[string]string{"GRACE": "soon"}, args...); err != nil || command != "move" {
			t.Errorf("Parse(%q) = %q, %v, want move", args, command, err)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{":8080": true, "127.0.0.1:0": true, "[::1]:80": true, ":": false, "": false,
		"8080": false, "host:http": false, "host:70000": false, "host:-1": false} {
		t.Run(text, func(t *testing.T) {
			if err := config.CheckAddress(text); (err == nil) != want {
				t.Errorf("CheckAddress(%q) = %v, want it right: %v", text, err, want)
			}
		})
	}
}

func TestHelpNamesVariablesAndNoValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var into tool
	env := map[string]string{"TOKEN": "hush-hush"}
	_, ok, err := config.Parse(&into, "tool", "A tool.", config.Source{Args: []string{"run", "--help"},
		Getenv: func(k string) string { return env[k] }, Stdout: &out})
	if ok || err != nil {
		t.Fatalf("Parse(--help) = %v, %v, want false, nil", ok, err)
	}
	if text := out.String(); !strings.Contains(text, "Opens the door. [TOKEN]") || strings.Contains(text, "hush-hush") {
		t.Errorf("Parse(--help) printed, want the variable's name and no value:\n%s", text)
	}
}

func TestExit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{config.Errors([]error{errors.New("a"), errors.New("b")}), 2, "tool: configuration:\na\nb\n"},
		{fmt.Errorf("start: %w", errors.Join(errors.New("a"), errors.New("b"))), 1, "tool: start: a; b\n"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			var out bytes.Buffer
			if code := config.Exit(&out, "tool", tt.err); code != tt.code || out.String() != tt.text {
				t.Errorf("Exit(%v) = %d %q, want %d %q", tt.err, code, out.String(), tt.code, tt.text)
			}
		})
	}
}
