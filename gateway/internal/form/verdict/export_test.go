package verdict

// What the tests of the learned table need.

// NewWith returns a Checker with a table of its own.
func NewWith(list string) *Checker {
	c := New()
	c.wording = newWording(list, c.offers.kinds)
	return c
}

// WordingList is the table that is embedded.
func WordingList() string { return wordingList }

// Features returns the features of a text, as wording.txt writes them.
func (c *Checker) Features(text string) []string {
	s := c.read(sent(text))
	var all []string
	eachFeature(s.said.words, func(f feature) { all = append(all, written(string(s.said.words[f.from:f.to]), f.hash)) })
	signs := s.signs()
	for sign, has := range signs.has {
		if has {
			all = append(all, signNames[sign])
		}
	}
	for kind, name := range c.offers.kinds {
		for level := range signs.level[kind] {
			all = append(all, levelName(name, level))
		}
	}
	return all
}

// written returns a feature as wording.txt writes it.
func written(words string, hash uint32) string {
	short := []byte{}
	for i := range len(words) {
		digit := '0' <= words[i] && words[i] <= '9'
		if !digit {
			short = append(short, words[i])
		} else if len(short) == 0 || i == 0 || words[i-1] < '0' || words[i-1] > '9' {
			short = append(short, '#')
		}
	}
	if s := string(short); featureHash(s) == hash {
		return s
	}
	r := []rune(words)
	s := string(r[:stemLetters]) + "*"
	return s
}

// Score is the log of how much likelier a text is mass mail than a person's.
func (c *Checker) Score(text string) float64 {
	return c.read(sent(text)).speech.score
}

// sent is a submission with a text, from somebody at example.com, on a page of shop.example.
func sent(text string) *Input {
	return &Input{Page: "https://shop.example/contact", Fields: []Field{
		{Text: "ada@example.com", Role: Email}, {Text: text, Role: Message}}}
}
