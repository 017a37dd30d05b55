package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"leadgate/shared/testbrowser"
)

// paints returns how often each page is loaded: less often than it is read, as a browser takes long.
func (o options) paints() int { return max(1, o.queries()/10) }

// mainPages are those that people have open.
func mainPages() []string {
	return []string{"/console", "/console/leads", "/console/leads?q=firm", "/console/submissions", "/console/forms",
		"/console/imports", "/console/endpoints", "/console/deliveries", "/console/books", "/console/audit"}
}

func adminPages() []string {
	return []string{"/admin/", "/admin/workspaces", "/admin/failing", "/admin/errors"}
}

// measurePaint loads pages in a browser that has nothing of them yet.
func (v *visitor) measurePaint(ctx context.Context, pages []string) error {
	site, err := url.Parse(v.url + v.root)
	if err != nil {
		return err
	}
	m, err := testbrowser.NewMeter(site.String(), v.http.Jar.Cookies(site))
	if errors.Is(err, testbrowser.ErrMissing) {
		v.bench.printf("not painted: %v", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("start a browser: %w", err)
	}
	defer m.Close()
	if _, err := m.Load(v.url + pages[0]); err != nil { // the browser's own first page is slow
		return fmt.Errorf("%s: %w", pages[0], err)
	}
	for _, page := range pages {
		if err := v.paint(ctx, m, page); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return nil
}

// paint loads one page again and again.
func (v *visitor) paint(ctx context.Context, m *testbrowser.Meter, page string) error {
	var took []time.Duration
	weight := 0
	for range v.bench.paints() {
		if err := ctx.Err(); err != nil {
			return err
		}
		one, err := m.Load(v.url + page)
		if err != nil {
			return err
		}
		took, weight = append(took, one.FirstPaint), max(weight, one.Bytes)
	}
	slices.Sort(took)
	p50, p95 := took[len(took)/2], took[len(took)*95/100]
	v.bench.printf("%-40s first paint p50 %4.0f ms  p95 %4.0f ms  %6.1f KB with all it loads", page, milliseconds(p50),
		milliseconds(p95), float64(weight)/1e3)
	v.bench.figure(page, "first_paint_p50", milliseconds(p50), "ms")
	v.bench.figure(page, "first_paint_p95", milliseconds(p95), "ms")
	v.bench.figure(page, "weight", float64(weight), "bytes")
	return nil
}
