package telemetry

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"leadgate/shared/testwait"
)

// written is a log file that counts how often it is written to.
type written struct {
	mu     sync.Mutex
	text   strings.Builder
	writes int
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	return w.text.Write(b)
}

func (w *written) lines() (lines, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), "\n"), w.writes
}

// Lines are written many at once, all of them, in order and whole, soon; what matters at once, with what came before.
func TestLinesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	var file written
	log, _, flush, err := Logger(&file, "test", "info")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("first")
	testwait.Until(t, "the line of a quiet process", func() bool { n, _ := file.lines(); return n == 1 })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 500 {
				log.With("route", "/leads").Info("request", "n", n)
			}
		})
	}
	all.Wait()
	log.Warn("redis unavailable")
	if lines, writes := file.lines(); lines != 2002 || writes > 200 {
		t.Errorf("%d lines in %d writes after a warning, want all 2002 in few", lines, writes)
	}
	log.Info("last")
	flush()
	text := strings.TrimSuffix(file.text.String(), "\n")
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, `{"time":`) || !strings.HasSuffix(line, "}") {
			t.Fatalf("line %d is torn: %s", i, line)
		}
	}
	if want := `"msg":"last","service":"test"}`; !strings.HasSuffix(text, want) {
		t.Errorf("the log ends with %s, want %s", text[len(text)-80:], want)
	}
}

func TestUnknownLevels(t *testing.T) {
	t.Parallel()
	if _, _, _, err := Logger(&written{}, "test", "loud"); err == nil || !strings.Contains(fmt.Sprint(err), "loud") {
		t.Errorf(`Logger of level "loud" = %v, want an error that names it`, err)
	}
}
