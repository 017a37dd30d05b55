package testbrowser

import "flag"

// WantWell fails the test when the page, as it is now, has a problem: of its console, of its policy, of axe, or of
// another origin, or is wider than its screen. Where go test keeps artifacts, it is looked at in both widths and both color
// schemes, with a picture of each; else, which takes half as long, wide in light colors and on a phone in dark ones.
func (p *Page) WantWell(name string) {
	p.t.Helper()
	type look struct {
		name string
		set  func()
	}
	wide, phone := look{"wide", p.Wide}, look{"phone", p.Phone}
	light, dark := look{"light", p.Light}, look{"dark", p.Dark}
	looks := [][2]look{{wide, light}, {phone, dark}}
	keep := flag.Lookup("test.artifacts").Value.String() == "true"
	if keep {
		looks = [][2]look{{wide, light}, {wide, dark}, {phone, light}, {phone, dark}}
	}
	for _, l := range looks {
		size, scheme := l[0], l[1]
		size.set()
		scheme.set()
		seen := name + "-" + size.name + "-" + scheme.name
		if keep {
			p.Screenshot(seen)
		}
		for _, v := range p.Axe() {
			p.t.Errorf("%s: %s", seen, v)
		}
		var over bool
		p.Eval(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &over)
		if over {
			p.t.Errorf("%s: the page is wider than the screen", seen)
		}
	}
	for _, problem := range p.Problems() {
		p.t.Errorf("%s: %s", name, problem)
	}
	p.Wide()
	p.Light()
}
