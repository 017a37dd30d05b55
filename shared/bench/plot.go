package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// point is how late answers came at one offered rate.
type point struct {
	perSecond int
	p50, p99  time.Duration
}

// Where the plot is in its picture, in pixels.
const (
	plotLeft, plotTop     = 70.0, 40.0
	plotWidth, plotHeight = 620.0, 320.0
)

// plot draws latency against load as an SVG: milliseconds on a logarithmic scale, because an overloaded system is
// thousands of times slower than an idle one.
func plot(title string, points []point) string {
	low, high, most := math.Inf(1), 0.0, 1
	for _, p := range points {
		low, high = min(low, milliseconds(p.p50)), max(high, milliseconds(p.p99))
		most = max(most, p.perSecond)
	}
	first := math.Floor(math.Log10(max(low, 0.01)))
	last := max(first+1, math.Ceil(math.Log10(max(high, 0.01))))
	x := func(perSecond float64) float64 { return plotLeft + perSecond/float64(most)*plotWidth }
	y := func(ms float64) float64 {
		return plotTop + plotHeight*(last-math.Log10(max(ms, math.Pow(10, first))))/(last-first)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 430" font-family="sans-serif" font-size="12">
<rect width="720" height="430" fill="white"/>
<text x="%.0f" y="22" font-size="15">%s</text>
`, plotLeft, title)
	for e := first; e <= last; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&s, `<path d="M%.0f %.1fh%.0f" stroke="#ddd"/>`, plotLeft, at, plotWidth)
		fmt.Fprintf(&s, `<text x="%.0f" y="%.1f" text-anchor="end">%g ms</text>`+"\n", plotLeft-6, at+4, math.Pow(10, e))
	}
	for i := range 6 {
		load := float64(most) * float64(i) / 5
		fmt.Fprintf(&s, `<text x="%.1f" y="%.0f" text-anchor="middle">%.0f</text>`+"\n", x(load), plotTop+plotHeight+18, load)
	}
	fmt.Fprintf(&s, `<text x="%.0f" y="%.0f" text-anchor="middle">leads offered a second, open loop</text>`+"\n",
		plotLeft+plotWidth/2, plotTop+plotHeight+42)
	for i, line := range []struct {
		name, colour string
		of           func(point) time.Duration
	}{
		{"p50", "#1f77b4", func(p point) time.Duration { return p.p50 }},
		{"p99", "#d62728", func(p point) time.Duration { return p.p99 }},
	} {
		var path []string
		for _, p := range points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x(float64(p.perSecond)), y(milliseconds(line.of(p)))))
		}
		fmt.Fprintf(&s, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "),
			line.colour)
		for _, at := range path {
			px, py, _ := strings.Cut(at, ",")
			fmt.Fprintf(&s, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`, px, py, line.colour)
		}
		fmt.Fprintf(&s, `<text x="%.0f" y="%d" fill="%s">%s</text>`+"\n", plotLeft+10, 60+16*i, line.colour, line.name)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// milliseconds are those of a duration, with a fraction.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
