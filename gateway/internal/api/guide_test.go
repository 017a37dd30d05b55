package api_test

import (
	"testing"

	"leadgate/shared/testbrowser"
)

// The pages of the guide are well, wide and on a phone, light and dark.
func TestGuideIsWell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := testbrowser.New(t)
	for page, ready := range map[string]string{"/docs": "document.querySelector('pre button')", "/docs/forms": "true"} {
		p.Open(b.url + page)
		p.Wait(ready)
		// Not WantWell: the guide is longer than a picture can be, and each look at it takes axe seconds.
		for name, look := range map[string][]func(){"wide, light": {p.Wide, p.Light}, "phone, dark": {p.Phone, p.Dark}} {
			look[0]()
			look[1]()
			for _, violation := range p.Axe() {
				t.Errorf("%s, %s: %s", page, name, violation)
			}
			var over bool
			if p.Eval(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &over); over {
				t.Errorf("%s, %s: the page is wider than the screen", page, name)
			}
		}
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
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
	p.Eval("scrollTo({ top: 0, behavior: 'instant' }), 0", new(int)) // no longer on its way to the section
	p.Click("pre button")
	p.Wait("/Copied|Selected/.test(document.querySelector('pre button').textContent)")
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}
