package webui

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Query is the query of a request, to make links from that differ in one parameter.
type Query struct{ url.Values }

// With is the query with key set to value, or without it where value is "". A page's cursor does not survive.
func (q Query) With(key, value string) string {
	next := url.Values{}
	for k, v := range q.Values {
		if k != "cursor" && k != "done" {
			next[k] = v
		}
	}
	next.Del(key)
	if value != "" {
		next.Set(key, value)
	}
	return "?" + next.Encode()
}

// Hidden are the parameters but those named, for a form that keeps them.
func (q Query) Hidden(but ...string) (pairs [][2]string) {
	for k, values := range q.Values {
		if strings.Contains(" cursor done "+strings.Join(but, " ")+" ", " "+k+" ") {
			continue
		}
		for _, v := range values {
			pairs = append(pairs, [2]string{k, v})
		}
	}
	return pairs
}

func funcs() template.FuncMap {
	return template.FuncMap{
		"asset": assetPath, "when": when, "now": func() string { return time.Now().UTC().Format(time.RFC3339Nano) },
		"number": number, "percent": percent, "millis": millis, "bytes": Bytes,
		"pretty": pretty, "sparkline": sparkline, "bars": bars, "dict": dict, "join": strings.Join, "plural": Plural,
		"has": func(all []string, one string) bool {
			for _, s := range all {
				if s == one {
					return true
				}
			}
			return false
		},
		"list": func(all ...string) []string { return all },
	}
}

// dict makes a map of a partial template's arguments.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes names and values, and got %d arguments", len(pairs))
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict takes names and values, and argument %d is %T", i, pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// when shows a time of the API in UTC, which the script turns into the reader's own zone and language. Of no time it is
// a dash.
func when(stamp any) template.HTML {
	var t time.Time
	switch s := stamp.(type) {
	case string:
		t, _ = time.Parse(time.RFC3339Nano, s)
	case *string:
		if s != nil {
			t, _ = time.Parse(time.RFC3339Nano, *s)
		}
	case time.Time:
		t = s
	}
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	//nolint:gosec // both are formatted times
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2 Jan 2006, 15:04") + ` UTC</time>`)
}

// number groups the digits of an integer by threes, with narrow spaces (ISO 80000-1).
func number(n any) string {
	text := fmt.Sprint(n)
	if f, ok := n.(float64); ok {
		text = strconv.FormatInt(int64(f), 10)
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64) + " %"
}

// millis shows a duration in milliseconds; nil: there is none.
func millis(ms *int) string {
	switch {
	case ms == nil:
		return "–"
	case *ms < 1000:
		return strconv.Itoa(*ms) + " ms"
	case *ms < 60_000:
		return strconv.FormatFloat(float64(*ms)/1000, 'f', 1, 64) + " s"
	}
	return (time.Duration(*ms) * time.Millisecond).Round(time.Second).String()
}

// Bytes shows a number of bytes in the unit that suits it.
func Bytes(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[unit]
}

// pretty indents JSON.
func pretty(v any) string {
	if raw, ok := v.(json.RawMessage); ok && len(raw) == 0 {
		return ""
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// Plural is a number and what it counts: one, or many of them.
func Plural(n int, one, many string) string {
	if n == 1 {
		return number(n) + " " + one
	}
	return number(n) + " " + many
}

// Bar is one of a chart: what it stands for and its height, and how much of that is of the second kind.
type Bar struct {
	Label         string
	Value, Second int
}

// bars draws a chart of at most some sixty values as SVG, each with its label for who cannot see it.
func bars(title string, all []Bar) template.HTML {
	const width, height, gap = 600.0, 120.0, 2.0
	most := 1
	for _, b := range all {
		most = max(most, b.Value)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="bars" viewBox="0 0 %g %g" role="img" aria-label="%s" preserveAspectRatio="none">`,
		width, height, template.HTMLEscapeString(title))
	step := width / math.Max(1, float64(len(all)))
	for i, b := range all {
		h, second := height*float64(b.Value)/float64(most), height*float64(b.Second)/float64(most)
		x := step * float64(i)
		fmt.Fprintf(&s, `<g><title>%s</title><rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+
			`<rect class="bar second" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/></g>`,
			template.HTMLEscapeString(b.Label), x, height-h, step-gap, h, x, height-second, step-gap, second)
	}
	s.WriteString("</svg>")
	return template.HTML(s.String()) //nolint:gosec // numbers, and texts that are escaped
}

// sparkline draws values as a line, without axes.
func sparkline(title string, values []int) template.HTML {
	const width, height = 120.0, 28.0
	most := 1
	for _, v := range values {
		most = max(most, v)
	}
	var points []string
	for i, v := range values {
		x := width * float64(i) / math.Max(1, float64(len(values)-1))
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, height-1-(height-2)*float64(v)/float64(most)))
	}
	//nolint:gosec // numbers, and a text that is escaped
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 %g %g" role="img" aria-label="%s"><polyline points="%s"/></svg>`,
		width, height, template.HTMLEscapeString(title), strings.Join(points, " ")))
}
