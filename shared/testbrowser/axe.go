package testbrowser

import (
	"bytes"
	"compress/gzip"
	_ "embed" // axe-core
	"io"
	"sync"
)

// axeGz is axe-core 4.14.1 (MPL-2.0, axe.LICENSE) as npm has it, packed.
//
//go:embed axe.min.js.gz
var axeGz []byte

var axe = sync.OnceValue(func() string {
	r, err := gzip.NewReader(bytes.NewReader(axeGz))
	if err != nil {
		panic(err) // it is part of the program
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return string(text)
})

// inspect gives one text for each element that violates a rule.
const inspect = `axe.run({ resultTypes: ['violations'] }).then(found => found.violations.flatMap(rule =>
	rule.nodes.map(node => rule.id + ' (' + rule.impact + '): ' + rule.help + ': ' + node.target.join(' ') + ' ' +
		node.html + '\n' + node.failureSummary)))`

// Axe runs axe-core in the page as it is now, and returns the rules of accessibility that it violates, with where.
func (p *Page) Axe() []string {
	p.t.Helper()
	var found []string
	p.Eval("if (!window.axe) {"+axe()+"}", nil)
	p.Eval(inspect, &found)
	return found
}
