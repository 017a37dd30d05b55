package api_test

import (
	"testing"

	"leadgate/shared/testbrowser"
)

// Every page of the documentation is well, wide and on a phone, light and dark.
func TestDocsAreWell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := testbrowser.New(t)
	p.Open(b.url + "/docs")
	p.Wait("document.querySelector('pre button')")
	p.WantWell("guide")
	p.Open(b.url + "/docs/forms")
	p.WantWell("form-builders")
	p.Open(b.url + "/docs/explorer")
	p.Wait(in("api-request"))
	p.WantWell("explorer")
}

// The guide is searched in its contents, and a sample is copied, or marked to be, at a click.
func TestGuideInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := testbrowser.New(t)
	p.Open(b.url + "/docs")
	p.Fill("nav input[type=search]", "webhook-id")
	p.Wait("!document.querySelector('nav a[href=\"#verify\"]').hidden && document.querySelector('nav a[href=\"#import\"]').hidden")
	p.Press("Enter")
	p.Wait("location.hash !== ''")
	p.Eval("scrollTo(0, 0), 0", new(int))
	p.Click("pre button")
	p.Wait("/Copied|Selected/.test(document.querySelector('pre button').textContent)")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
