package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// told is how many mistakes an error tells, and how many it only counts.
func told(t *testing.T, err error) (kept, omitted int) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("the error is %v, want a VALIDATION_ERROR", err)
	}
	text, _ := json.Marshal(f.Details)
	var details struct {
		Errors        []fault.Field
		ErrorsOmitted int
	}
	if err := json.Unmarshal(text, &details); err != nil {
		t.Fatal(err)
	}
	return len(details.Errors), details.ErrorsOmitted
}

// mistakes is an object with n unknown members before name, which is too long.
func mistakes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"x%d":0,`, i)
	}
	return `{` + b.String() + `"name":"too long"}`
}

func readAll(r *strictjson.Reader) error {
	for r.Next() {
		r.Text(5)
	}
	return r.Err()
}

func TestMistakesAreCounted(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][2]int{0: {1, 0}, 18: {19, 0}, 19: {20, 0}, 20: {20, 1}, 1000: {20, 981}} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			err := readAll(strictjson.NewReader([]byte(mistakes(n)), []string{"name"}))
			if kept, omitted := told(t, err); kept != want[0] || omitted != want[1] {
				t.Errorf("of %d mistakes %d are told and %d counted, want %d and %d", n+1, kept, omitted, want[0], want[1])
			}
		})
	}
	items := strictjson.NewItems([]byte(`{"leads":[`+mistakes(4)+`,`+mistakes(100)+`,`+mistakes(0)+`]}`), "leads", 5,
		[]string{"name"})
	for _, want := range [][2]int{{5, 0}, {5, 96}, {1, 0}} {
		if !items.Next() {
			t.Fatal("there are fewer than 3 items")
		}
		if kept, omitted := told(t, readAll(items.Reader())); kept != want[0] || omitted != want[1] {
			t.Errorf("of an item %d mistakes are told and %d counted, want %d and %d", kept, omitted, want[0], want[1])
		}
	}
	broken := readAll(strictjson.NewReader([]byte(mistakes(50)+"x"), []string{"name"}))
	if kept, omitted := told(t, broken); kept != 1 || omitted != 0 {
		t.Errorf("of broken JSON %d mistakes are told and %d counted, want that alone", kept, omitted)
	}
}

// A body full of mistakes costs memory of its own order. Not parallel: it looks at what the whole process allocates.
func TestMistakesCostLittle(t *testing.T) {
	object := []byte(mistakes(100_000))
	many := []byte(`{"leads":[` + strings.Repeat(mistakes(300)+",", 400) + `{}]}`)
	known := strings.Fields(strings.Repeat("member ", 20) + "name")
	for name, c := range map[string]struct {
		body []byte
		read func(body []byte)
	}{
		"an object": {object, func(body []byte) { readAll(strictjson.NewReader(body, known)) }},
		"items": {many, func(body []byte) {
			for items := strictjson.NewItems(body, "leads", 500, known); items.Next(); {
				readAll(items.Reader())
			}
		}},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.read(c.body)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 20*uint64(len(c.body)) {
			t.Errorf("%s of %d bytes full of mistakes takes %d bytes to read, want fewer than 20 times its size", name,
				len(c.body), got)
		} else {
			t.Logf("%s: %d bytes, %d allocated", name, len(c.body), got)
		}
	}
}
