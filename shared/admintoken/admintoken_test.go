package admintoken_test

import (
	"strings"
	"testing"

	"leadgate/shared/admintoken"
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
		"too many":          {strings.Repeat(good+" ", 9), "at most 8"},
	} {
		t.Run(name, func(t *testing.T) {
			got := admintoken.Check(c.text)
			if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) || strings.Contains(got, "hunter") {
				t.Errorf("Check() = %q, want %q in it and no token", got, c.wrong)
			}
		})
	}
}
