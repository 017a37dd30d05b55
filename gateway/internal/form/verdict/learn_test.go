package verdict_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"leadgate/gateway/internal/form/verdict"
)

// document is a text of which it is known what it is.
type document struct {
	text     string
	spam     bool
	kind     string
	template int
	features []int
	words    int // features that are no signs
	weight   float64
}

// learning sets how the table is learned.
type learning struct {
	fillings    int // of each template
	rounds      int
	rate        float64
	decay       float64 // of weights, in each step
	minTexts    int     // templates that a pair of words must be in
	doubt       float64 // as in wording.go
	peopleCount float64 // what a person's text counts, where one of mass mail counts 1
	least       int     // weight that is kept, in hundredths
	most        float64 // the weight of a sign, so that none decides alone
}

// usual is what wording.txt is learned with. It was chosen by TestFolds.
var usual = learning{fillings: 6, rounds: 40, rate: 0.5, decay: 3e-5, minTexts: 2, doubt: 8, peopleCount: 3, least: 5,
	most: 2.5}

// vocabulary are the features that are learned.
type vocabulary struct {
	names []string
	sign  []bool // whether it is a sign
	index map[string]int
}

// documents fills in the templates.
func documents(c *corpus, fillings int) (all []document) {
	n := 0
	for _, spam := range []bool{false, true} {
		templates := c.people
		if spam {
			templates = c.spam
		}
		for _, kind := range slices.Sorted(mapsKeys(templates)) {
			if strings.HasPrefix(kind, "random_") || kind == "empty" || kind == "price_probe" {
				continue
			}
			for _, template := range templates[kind] {
				for range fillings {
					text := c.fill(template, map[string]string{"first": pick(c, "Mike", "Anna", "David", "Lisa", "Jan"), "site": "shop.example",
						"own": "www.example.com/work", "pagelink": "https://shop.example/shop/x"})
					all = append(all, document{text: text, spam: spam, kind: kind, template: n, weight: 1 / float64(fillings)})
				}
				n++
			}
		}
	}
	return all
}

// learn returns a table as wording.txt is. It is a logistic regression over the features of each text, each once.
func (l learning) learn(c *verdict.Checker, docs []document) string {
	texts, last := map[string]int{}, map[string]int{}
	features := make([][]string, len(docs))
	for i, d := range docs {
		f := c.Features(d.text)
		slices.Sort(f)
		features[i] = slices.Compact(f)
		for _, name := range features[i] {
			if at, ok := last[name]; !ok || at != d.template {
				texts[name]++
				last[name] = d.template
			}
		}
	}
	v := vocabulary{index: map[string]int{}}
	for _, name := range slices.Sorted(mapsKeys(texts)) {
		if texts[name] >= l.minTexts || !strings.Contains(name, " ") && texts[name] >= l.minTexts-1 {
			v.index[name] = len(v.names)
			v.names = append(v.names, name)
			v.sign = append(v.sign, name[0] == '=')
		}
	}
	for i := range docs {
		docs[i].features = docs[i].features[:0]
		docs[i].words = 0
		for _, name := range features[i] {
			if at, ok := v.index[name]; ok {
				docs[i].features = append(docs[i].features, at)
				if !v.sign[at] {
					docs[i].words++
				}
			}
		}
	}
	weights, bias := l.descend(docs, &v)
	return l.write(v.names, weights, bias)
}

// descend is stochastic gradient descent with a step for each feature (AdaGrad). Products are rounded before they are
// added, so that all processors do the same.
func (l learning) descend(docs []document, v *vocabulary) (w []float64, bias float64) {
	w = make([]float64, len(v.names))
	squares, biasSquare := slices.Repeat([]float64{1}, len(w)), 1.0
	r := rand.New(rand.NewPCG(seed, seed))
	order := r.Perm(len(docs))
	for range l.rounds {
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, at := range order {
			d := &docs[at]
			scale := [2]float64{1 / math.Sqrt(float64(d.words)+l.doubt), 1}
			by := func(f int) float64 {
				if v.sign[f] {
					return scale[1]
				}
				return scale[0]
			}
			sum := bias
			for _, f := range d.features {
				sum += float64(w[f] * by(f))
			}
			want, counts := 0.0, d.weight*l.peopleCount
			if d.spam {
				want, counts = 1, d.weight
			}
			step := float64((1/(1+math.Exp(-sum)) - want) * counts)
			for _, f := range d.features {
				g := float64(step*by(f)) + float64(l.decay*w[f])
				squares[f] += float64(g * g)
				w[f] -= float64(l.rate * g / math.Sqrt(squares[f]))
				if v.sign[f] {
					w[f] = min(max(w[f], -l.most), l.most)
				}
			}
			biasSquare += float64(step * step)
			bias -= float64(l.rate * step / math.Sqrt(biasSquare))
		}
	}
	return w, bias
}

// write writes a table, what speaks most for mass mail first.
func (l learning) write(names []string, w []float64, bias float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\t\n", int(math.Round(bias*100)))
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	whole := func(i int) int { return int(math.Round(w[i] * 100)) }
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(whole(b)-whole(a), cmp.Compare(names[a], names[b])) })
	for _, i := range order {
		if n := whole(i); n >= l.least || n <= -l.least {
			fmt.Fprintf(&b, "%d\t%s\n", n, names[i])
		}
	}
	return b.String()
}
