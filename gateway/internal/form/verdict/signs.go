package verdict

import "strings"

// sign is something of a text that is not in its single words.
type sign int

// The signs. Those that combine kinds of phrases hold in all languages of offers.txt.
const (
	topicUnasked sign = iota
	topicPitched
	pitchedUnasked
	pitchUnasked
	yoursUnasked
	yoursTopic
	closingUnasked
	noTopic
	neitherPitchNorAsk
	hasQuestion
	hasMoney
	hasPercent
	hasLink
	fewWords
	manyWords
	veryManyWords
	signCount
)

// signNames are the signs as wording.txt writes them.
var signNames = [signCount]string{
	topicUnasked: "=topic, no ask", topicPitched: "=topic, pitch", pitchedUnasked: "=topic, pitch, no ask",
	pitchUnasked: "=pitch, no ask", yoursUnasked: "=yours, no ask", yoursTopic: "=yours, topic",
	closingUnasked: "=closing, no ask", noTopic: "=no topic", neitherPitchNorAsk: "=no pitch, no ask",
	hasQuestion: "=question", hasMoney: "=currency", hasPercent: "=percent", hasLink: "=link", fewWords: "=few words",
	manyWords: "=many words", veryManyWords: "=very many words",
}

// levels are the weights from which a kind of phrases counts once more: "=loan", "=loan+", "=loan++", "=loan+++".
var levels = [...]int{1, 3, 6, 10}

// levelName is a level of a kind as wording.txt writes it.
func levelName(kind string, level int) string {
	return "=" + kind + strings.Repeat("+", level)
}

// signs are the signs of a text.
type signs struct {
	has   [signCount]bool
	level [maxKinds]int // how many levels each kind of phrases reaches
}

// signs reads the signs of the submission's text.
func (s *submission) signs() (all signs) {
	o := &s.offer
	for kind := range s.offers.kinds {
		for _, least := range levels {
			if o.sums[kind] >= least {
				all.level[kind]++
			}
		}
	}
	unasked := o.ask == 0
	all.has = [signCount]bool{
		topicUnasked:       o.topics > 0 && unasked,
		topicPitched:       o.topics > 0 && o.pitch > 0,
		pitchedUnasked:     o.topics > 3 && o.pitch > 3 && unasked,
		pitchUnasked:       o.pitch > 0 && unasked,
		yoursUnasked:       o.yours > 0 && unasked,
		yoursTopic:         o.yours > 0 && o.topics > 0,
		closingUnasked:     o.closing > 0 && unasked,
		noTopic:            o.topics == 0,
		neitherPitchNorAsk: o.pitch == 0 && unasked,
		hasQuestion:        s.said.marks[question] > 0,
		hasMoney:           s.said.marks[money] > 0,
		hasPercent:         s.said.marks[percent] > 0,
		hasLink:            s.foreign > 0,
		fewWords:           s.said.count < 6,
		manyWords:          s.said.count > 60,
		veryManyWords:      s.said.count > 150,
	}
	return all
}
