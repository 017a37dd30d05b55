package console

import (
	"net/url"
	"slices"
	"strings"
)

// leadFilter is which leads are listed, in which order and with which columns. It is read from the query of the page,
// whose names are the API's but for these: meta is "key=value", any number of times, and cols are columns.
type leadFilter struct {
	Q, Status, Source, ChatbotID, CreatedFrom, CreatedUntil, Deleted, Sort string

	Meta    []string
	Columns []string // in their order; none: the usual ones
	cursor  string
}

// named are the parameters that have one value, and are the API's as they are.
func (f *leadFilter) named() []struct {
	name string
	text *string
} {
	return []struct {
		name string
		text *string
	}{
		{"q", &f.Q}, {"status", &f.Status}, {"source", &f.Source}, {"chatbotId", &f.ChatbotID},
		{"createdFrom", &f.CreatedFrom}, {"createdUntil", &f.CreatedUntil}, {"deleted", &f.Deleted}, {"sort", &f.Sort},
	}
}

func readFilter(q url.Values) leadFilter {
	f := leadFilter{cursor: q.Get("cursor")}
	for _, p := range f.named() {
		*p.text = strings.TrimSpace(q.Get(p.name))
	}
	for _, text := range q["meta"] {
		if text = strings.TrimSpace(text); text != "" {
			f.Meta = append(f.Meta, text)
		}
	}
	for _, name := range q["cols"] {
		if name != "" && !slices.Contains(f.Columns, name) && len(f.Columns) < maxColumns {
			f.Columns = append(f.Columns, name)
		}
	}
	if slices.Equal(f.Columns, usualColumns) {
		f.Columns = nil
	}
	return f
}

// query is the filter as the query of the page that begins at cursor.
func (f *leadFilter) query(cursor string) string {
	q := url.Values{}
	for _, p := range f.named() {
		if *p.text != "" {
			q.Set(p.name, *p.text)
		}
	}
	for name, values := range map[string][]string{"meta": f.Meta, "cols": f.Columns} {
		if len(values) > 0 {
			q[name] = values
		}
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// forAPI is the filter as the API's list takes it.
func (f *leadFilter) forAPI() url.Values {
	q := f.forExport()
	if f.Sort != "" {
		q.Set("sort", f.Sort)
	}
	if f.cursor != "" {
		q.Set("cursor", f.cursor)
	}
	return q
}

// forExport is the filter as the API's export takes it, which has an order of its own.
func (f leadFilter) forExport() url.Values {
	q := url.Values{}
	for _, p := range f.named() {
		if *p.text != "" && p.name != "sort" {
			q.Set(p.name, *p.text)
		}
	}
	for _, pair := range f.Meta {
		key, value, _ := strings.Cut(pair, "=")
		q.Set("metadata."+strings.TrimSpace(key), strings.TrimSpace(value))
	}
	return q
}

// isAll reports whether every lead is listed, from the first.
func (f *leadFilter) isAll() bool { return len(f.forExport()) == 0 && f.cursor == "" }

// More reports whether a filter is set that is not always in sight.
func (f *leadFilter) More() bool {
	return f.Source+f.ChatbotID+f.CreatedFrom+f.CreatedUntil+f.Deleted != "" || len(f.Meta) > 0
}

// Sorts are the orders that the API knows, the usual one first.
func (*leadFilter) Sorts() [][2]string {
	return [][2]string{{"", "Newest first"}, {"createdAt", "Oldest first"}, {"-updatedAt", "Changed last"},
		{"updatedAt", "Not changed for longest"}}
}
