package verdict_test

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"leadgate/gateway/internal/form/verdict"
)

// addPerson adds what a person sends who writes as a template says.
func (c *corpus) addPerson(kind string, at int) {
	f := pick(c, c.forms...)
	in := c.new(f)
	language, _, _ := strings.Cut(kind, "_")
	if c.names[language] == nil {
		language = "en"
	}
	name := pick(c, c.names[language]...)
	first, last, _ := strings.Cut(name, " ")
	local := asciiLetters(name, "anna", "kim", "jo.berg", "m.otto")
	company := pick(c, cities...) + " " + pick(c, "Bakery", "GmbH", "Ltd", "Sp. z o.o.", "SARL")
	site := strings.ToLower(strings.ReplaceAll(strings.Fields(company)[0], "-", "")) + pick(c, "bakery", "works", "") + ".example"
	email := pick(c, local, c1(local)+fmt.Sprint(c.IntN(99))) + "@" + pick(c, "mail.example", "example.com", site, "example.org")
	own := local + ".example.net/work"
	if strings.HasSuffix(email, site) || c.chance(50) {
		own = pick(c, "https://", "www.", "") + site
	}
	text := c.fill(c.people[kind][at], map[string]string{"first": first, "own": own,
		"pagelink": "https://" + f.host + "/shop/" + pick(c, words...)})
	way := "plain"
	if c.chance(2) {
		text, way = "I am interested in this property. Please send me more information and contact me to arrange a viewing.", "prefilled"
	}
	phone := pick(c, "+1 555 01%02d %03d", "(555) 01%02d-%03d", "55501%02d%03d", "0049 555 01%02d%03d")
	phone = fmt.Sprintf(phone, c.IntN(100), c.IntN(1000))
	for _, field1 := range f.fields {
		value := map[string]string{"first_name": first, "last_name": last, "company": pick(c, "", company),
			"website": pick(c, "", site, own), "subject": pick(c, "", "Question", "Anfrage", "hello", strings.ToUpper(c1(text)))}[field1]
		switch fld := field(field1, ""); fld.Role {
		case verdict.Message:
			value = text
		case verdict.Email:
			value = email
		case verdict.Phone:
			value = pick(c, phone, phone, "")
		case verdict.Name:
			if value == "" && field1 != "last_name" {
				value = name
			}
		}
		if value != "" {
			in.Fields = append(in.Fields, field(field1, value))
		}
	}
	if f.script && !c.chance(1) { // a few have scripts switched off
		in.ElapsedMS = 6000 + c.IntN(25)*c.IntN(9000)
		if c.chance(6) && len(text) < 160 {
			in.ElapsedMS, way = 1000+c.IntN(2500), "fast"
		}
	}
	if c.chance(85) {
		in.Page = "https://" + f.host + "/contact"
	} else if c.chance(80) {
		in.Referrer = "https://" + f.host + "/"
	}
	if c.chance(10) {
		office := c.IntN(len(f.offices))
		in.Address = address(f.offices[office])
		in.Now = time.Date(2026, 9, 1+7*office, 9, c.IntN(180), 0, 0, time.UTC)
		way = "office"
	}
	if f.token && c.chance(96) {
		in.Token, in.TokenAge = verdict.TokenValid, 5*time.Second+time.Duration(c.IntN(100))*time.Second
	}
	if c.chance(13) {
		in.Honeypot = pick(c, email, name, company, phone, local+".old@example.net", fmt.Sprintf("%d Park Road", 1+c.IntN(90)),
			pick(c, cities...), "https://"+site, fmt.Sprint(10000+c.IntN(80000)), "Germany", last+" "+first, first)
		way = "autofill"
	}
	if c.chance(1) {
		in.UserAgent = pick(c, "", "Mozilla/5.0", "Dillo/3.2")
	}
	c.all = append(c.all, sample{in, false, kind, way})
	if c.chance(4) { // they send it again
		again := *in
		again.Now = again.Now.Add(time.Duration(20+c.IntN(600)) * time.Second)
		c.all = append(c.all, sample{&again, false, kind, "repeat"})
	}
}

// asciiLetters returns a name as it is in an address, or one of others.
func asciiLetters(name string, others ...string) string {
	local := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '.'
		case r < 0x80 && unicode.IsLetter(r):
			return unicode.ToLower(r)
		}
		return -1
	}, name)
	if len(local) < 4 {
		return others[len(name)%len(others)]
	}
	return local
}

func c1(s string) string { return strings.SplitN(s+".", ".", 2)[0] }

// addSpam adds what a robot or a spammer sends.
func (c *corpus) addSpam(kind string, n int) {
	f := pick(c, c.forms...)
	in := c.new(f)
	at := n % len(c.spam[kind])
	name := pick(c, "Mike Palmer", "Emily Jones", "James Carter", "Anna", "David W.", "Olga Smirnova", "Kevin Brown", "Lisa Meyer")
	switch {
	case kind == "random_letters":
		name = c.noise()
	case kind == "random_words":
		name = pick(c, words...)
	case c.chance(25):
		name = pick(c, "JamesPhomi", "Robertgeale", "BrianGox", "Davidked", "SEO Expert", "Loan Office", "xRumerTest", "WilliamTut")
	}
	first, _, _ := strings.Cut(name, " ")
	text := c.fill(c.spam[kind][at], map[string]string{"first": first, "site": f.host})
	email := strings.ToLower(first) + fmt.Sprint(c.IntN(9999)) + "@" + pick(c, "mail.example", "example.com", "offers.example", c.bare())
	for _, name1 := range f.fields {
		value := pick(c, words...)
		switch field(name1, "").Role {
		case verdict.Message:
			value = text
		case verdict.Email:
			value = email
		case verdict.Phone:
			value = fmt.Sprint(80000000000 + c.Int64N(9999999999))
			if kind == "random_letters" {
				value = fmt.Sprint(2000000000 + c.Int64N(7999999999))
			} else if kind == "random_words" {
				value = pick(c, words...)
			}
		case verdict.Name:
			value = name
		default:
			switch {
			case name1 == "website":
				value = c.slot("link", nil)
			case kind == "random_letters":
				value = c.noise()
			}
		}
		in.Fields = append(in.Fields, field(name1, value))
	}
	way := c.transport(in, f)
	if trap := n%2 == 0; trap {
		in.Honeypot = pick(c, text, email, name, c.slot("link", nil), pick(c, words...), c.noise())
		way += "+honeypot"
	}
	c.all = append(c.all, sample{in, true, kind, way})
	if c.chance(5) { // to others of the workspace, from another address
		again := *in
		again.Now, again.Address = again.Now.Add(time.Duration(c.IntN(1800))*time.Second), address(c.visitor())
		c.all = append(c.all, sample{&again, true, kind, way})
	}
}

// transport says how spam comes.
func (c *corpus) transport(in *verdict.Input, f formOf) (way string) {
	page := "https://" + f.host + "/contact"
	switch n := c.IntN(100); {
	case n < 45: // a script without a browser
		way = "script"
		in.UserAgent = pick(c, agents[0], agents[1], agents[1], agents[4], "", "python-requests/2.32.3", "Go-http-client/1.1",
			"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "curl/8.9.1")
		in.Page = pick(c, "", page)
		in.Referrer = pick(c, "", page, "https://"+f.host)
	case n < 70: // a browser that a program drives
		way = "driven"
		in.Page = page
		if f.script {
			in.ElapsedMS = 150 + c.IntN(4000)
		}
		if c.chance(20) {
			in.UserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36"
		}
	default: // somebody who is paid for it, or a program that takes its time
		way = "careful"
		in.Page = page
		if f.script {
			in.ElapsedMS = 8000 + c.IntN(90_000)
		}
	}
	if f.token && way != "script" {
		in.Token, in.TokenAge = verdict.TokenValid, time.Duration(200+c.IntN(60_000))*time.Millisecond
	}
	return way
}
