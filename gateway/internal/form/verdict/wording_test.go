package verdict_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/id"
)

// TestWordingIsLearned holds that wording.txt is what the corpus gives. VERDICT_LEARN=1 writes it, and so does
// "go generate".
func TestWordingIsLearned(t *testing.T) {
	t.Parallel()
	list := usual.learn(verdict.New(), documents(newCorpus(t), usual.fillings))
	if os.Getenv("VERDICT_LEARN") != "" {
		if err := os.WriteFile("wording.txt", []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, have := weights(t, list), weights(t, verdict.WordingList())
	for name, n := range want {
		if m, ok := have[name]; !ok && max(n, -n) > usual.least+1 || ok && max(n-m, m-n) > 2 { // processors may round otherwise
			t.Fatalf("wording.txt has %q with the weight %d, and the corpus gives %d: run go generate", name, m, n)
		}
	}
	if len(have)-len(want) > 20 {
		t.Errorf("wording.txt has %d features, and the corpus gives %d: run go generate", len(have), len(want))
	}
}

// weights are the features of a table.
func weights(t *testing.T, list string) map[string]int {
	t.Helper()
	all := map[string]int{}
	for line := range strings.Lines(list) {
		number, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = n
	}
	return all
}

// TestFolds learns from four fifths of the templates and decides about the others, five times. Each text comes as a
// person's would, without any other sign. The templates of a fold were not learned from; but who wrote the phrases of
// offers.txt had seen most of them, and the settings of usual were chosen by this. Many templates of people are there
// because something like them had been held: of what people usually send, far less is.
func TestFolds(t *testing.T) {
	t.Parallel()
	const folds = 5
	docs := documents(newCorpus(t), usual.fillings/2)
	var spam, people tally
	for fold := range folds {
		var rest, held []document
		for _, d := range docs {
			if d.template%folds == fold {
				held = append(held, d)
			} else {
				rest = append(rest, d)
			}
		}
		c := verdict.NewWith(usual.learn(verdict.New(), rest))
		for i, d := range held {
			in := person()
			in.Workspace = id.UUID{byte(i), byte(i >> 8)} // nobody has sent the same before
			in.Fields[3].Text = d.text
			if r := c.Check(in); d.spam {
				spam.add(r.Verdict)
			} else {
				people.add(r.Verdict)
			}
		}
	}
	precision := 100 * spam.heldShare() / (spam.heldShare() + people.heldShare()) // as if half were spam
	t.Logf("spam   %v\npeople %v\nprecision %.2f %%, recall %.2f %%", spam, people, precision, spam.heldShare())
	if spam.heldShare() < 75 || people.heldShare() > 2 {
		t.Errorf("%.2f %% of spam and %.2f %% of people are held, want at least 75 and at most 2", spam.heldShare(),
			people.heldShare())
	}
}
