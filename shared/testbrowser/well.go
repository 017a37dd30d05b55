package testbrowser

// WantWell fails the test when the page, as it is now, has a problem: of its console, of its policy, of axe, or of
// another origin. It is looked at in both widths and both colour schemes, and a screenshot of each is kept where there
// is a place.
func (p *Page) WantWell(name string) {
	p.t.Helper()
	type look struct {
		name string
		set  func()
	}
	for _, size := range []look{{"wide", p.Wide}, {"phone", p.Phone}} {
		size.set()
		for _, scheme := range []look{{"light", p.Light}, {"dark", p.Dark}} {
			scheme.set()
			p.Screenshot(name + "-" + size.name + "-" + scheme.name)
			for _, v := range p.Axe() {
				p.t.Errorf("%s, %s, %s: %s", name, size.name, scheme.name, v)
			}
		}
		var over bool
		p.Eval(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &over)
		if over {
			p.t.Errorf("%s, %s: the page is wider than the screen", name, size.name)
		}
	}
	for _, problem := range p.Problems() {
		p.t.Errorf("%s: %s", name, problem)
	}
	p.Wide()
	p.Light()
}
