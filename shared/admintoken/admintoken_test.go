package admintoken_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadgate/shared/admintoken"
	"leadgate/shared/config"
	"leadgate/shared/testwait"
)

func TestCheck(t *testing.T) {
	const good, other = "hunter2-hunter2-hunter2", "hunter3-hunter3-hunter3"
	for name, c := range map[string]struct{ text, wrong string }{
		"one":               {good, ""},
		"two":               {good + " " + other, ""},
		"lines of a file":   {good + "\n" + other + "\n", ""},
		"a comma in one":    {"hunter2,hunter2,hunter2", ""},
		"none":              {" \n", "at least 16 characters"},
		"too short":         {"hunter2", "at least 16 characters"},
		"second too short":  {good + " hunter2", "of each token"},
		"shell text":        {"$(openssl rand -hex 24)", "a command that no shell has run"},
		"shell text second": {good + " `openssl rand -hex 24`", "a command that no shell has run"},
		"variable":          {"${LEADGATE_ADMIN_TOKEN:-}", "a command that no shell has run"},
		"too many":          {strings.Repeat(good+" ", 33), "at most 32"},
		"names":             {"alice=" + good + "\nci.deploy-2=" + other, ""},
		"two of a name":     {"alice=" + good + " alice=" + other, ""},
		"base64":            {"QUJDREVGR0hJSktMTU5PUA==", ""},
		"base64 of a name":  {"ci=aHVudGVyMmh1bnRlcjI=", ""},
		"no token":          {good + " alice=", "at least 16 characters of the token of alice"},
		"named too short":   {"alice=hunter2", "at least 16 characters of the token of alice"},
		"named shell text":  {"alice=$(openssl rand -hex 24)", "a command that no shell has run"},
		"no name":           {good + " Alice=" + other, "before the = of token 2"},
		"one for two":       {"alice=" + good + " ci=" + good, "gives alice and ci the same token"},
		"commas":            {"alice=" + good + ",ci=" + other, "behind that of alice"},
	} {
		t.Run(name, func(t *testing.T) {
			got := admintoken.Check(c.text)
			if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) || strings.Contains(got, "hunter") {
				t.Errorf("Check() = %q, want %q in it and no token", got, c.wrong)
			}
		})
	}
}

// A file is read again: who is taken out of it is out a second later, and a text that is wrong changes nothing.
func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()
	const alice, ci = "a-token-of-alice-for-tests", "a-token-of-ci-for-tests"
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("alice=" + alice)
	var log bytes.Buffer
	clock := testwait.NewClock(time.Now())
	guard := admintoken.New(config.WatchedSecret{Secret: "alice=" + alice, File: file}, clock.Now,
		slog.New(slog.NewTextHandler(&log, nil)))
	for _, step := range []struct {
		text, want string // the names that are let in
	}{{"alice=" + alice + "\nci=" + ci, "alice ci"}, {"ci=short", "alice ci"}, {"", "alice ci"}, {"ci=" + ci, "ci"}} {
		write(step.text)
		clock.Forward(time.Minute) // wrong tokens of before are forgotten as well
		var in []string
		for _, token := range []string{alice, ci} {
			if found, err := guard.Token("192.0.2.1:1", token); err == nil {
				in = append(in, found.Name)
			}
		}
		if got := strings.Join(in, " "); got != step.want {
			t.Errorf("with the file %q the tokens of %q are valid, want those of %q", step.text, got, step.want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	clock.Forward(time.Minute)
	if len(guard.Tokens()) != 1 {
		t.Errorf("without the file %d tokens are valid, want that of before", len(guard.Tokens()))
	}
	for _, want := range []string{"admin tokens changed", "admin tokens not changed", "admin tokens not read again"} {
		if !strings.Contains(log.String(), want) || strings.Contains(log.String(), "a-token-of") {
			t.Errorf("log = %s, want %q and no token", log.String(), want)
		}
	}
}
