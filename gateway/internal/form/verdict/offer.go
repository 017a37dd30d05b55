package verdict

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

//go:embed offers.txt
var offersList string

// phrase is a phrase of offers.txt.
type phrase struct {
	text   []byte // as text.words has it, with the space before; in East Asia without
	key    uint64 // its first bytes
	kind   uint8  // index of offers.kinds
	weight uint8
}

// offers knows what mass mail offers, and how.
type offers struct {
	kinds   []string
	role    [maxKinds]kindRole
	phrases []phrase
	at      [phraseSlots]uint16 // the first phrase for each slot, plus one; 0: none
	next    []uint16            // the next phrase of the same slot, plus one
}

// kindRole is what a kind of phrases is for.
type kindRole uint8

const (
	other kindRole = iota
	topicRole
	pitchRole
	askRole
	yoursRole
	closingRole
)

// roles of the kinds that are no topics.
var roles = map[string]kindRole{"pitch": pitchRole, "ask": askRole, "yours": yoursRole, "closing": closingRole}

// Phrases are found by their first eight bytes, or, if they are shorter, by four.
const (
	longKey     = 8
	shortKey    = 4
	phraseSlots = 1 << 13
)

// Bounds of offers.txt, because a text's phrases are marked in an array.
const (
	maxPhrases = 4096
	maxKinds   = 40
)

// newOffers reads offers.txt.
func newOffers(l *letters) *offers {
	o := &offers{}
	known := map[string]bool{}
	for line := range strings.Lines(offersList) {
		head, list, ok := strings.Cut(strings.TrimSpace(line), "|")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		kind, weight, _ := strings.Cut(strings.TrimSpace(head), " ")
		n, err := strconv.Atoi(weight)
		if err != nil {
			panic("offers.txt: " + line)
		}
		for p := range strings.SplitSeq(list, "|") {
			var t text
			stem, isStem := strings.CutSuffix(strings.TrimSpace(p), "*")
			t.add(l, stem)
			w := t.words
			if t.of[han] > 0 {
				w = bytes.TrimPrefix(w, []byte(" "))
			}
			if isStem || t.of[han] > 0 {
				w = bytes.TrimSuffix(w, []byte(" "))
			}
			if known[kind+string(w)] || len(w) < shortKey {
				continue
			}
			known[kind+string(w)] = true
			o.add(kind, w, n)
		}
	}
	return o
}

// add adds a phrase.
func (o *offers) add(kind string, words []byte, weight int) {
	at := slices.Index(o.kinds, kind)
	if at < 0 {
		at, o.kinds = len(o.kinds), append(o.kinds, kind)
		o.role[at] = roles[kind]
		if topicNames[kind] != "" {
			o.role[at] = topicRole
		}
	}
	key := uint64(binary.BigEndian.Uint32(words))
	if len(words) >= longKey {
		key = binary.BigEndian.Uint64(words)
	}
	o.phrases = append(o.phrases, phrase{words, key, uint8(at), uint8(weight)})
	if len(o.phrases) > maxPhrases || len(o.kinds) > maxKinds {
		panic("offers.txt has too many phrases or kinds")
	}
	o.next = append(o.next, o.at[slot(key)])
	o.at[slot(key)] = uint16(len(o.phrases))
}

// slot is where phrases are that begin with some bytes.
func slot(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (64 - 13) }

// offer is what a text offers, and how: the weights of the phrases that are in it.
type offer struct {
	sums                               [maxKinds]int // of each kind
	topics, pitch, ask, yours, closing int
	topic                              int // the kind that is offered most; negative: none
}

// read finds the phrases of a text.
func (o *offers) read(words []byte) (found offer) {
	var seen [maxPhrases/64 + 1]uint64
	for i := 0; i+shortKey <= len(words); i++ {
		if words[i] != ' ' && !isEastAsian(words[i]) {
			continue
		}
		if i+longKey <= len(words) {
			o.match(words[i:], binary.BigEndian.Uint64(words[i:]), &seen, &found)
		}
		o.match(words[i:], uint64(binary.BigEndian.Uint32(words[i:])), &seen, &found)
	}
	found.topic = -1
	most := 0
	for kind := range o.kinds {
		sum := found.sums[kind]
		switch o.role[kind] {
		case topicRole:
			found.topics += sum
			if sum > most {
				most, found.topic = sum, kind
			}
		case pitchRole:
			found.pitch = sum
		case askRole:
			found.ask = sum
		case yoursRole:
			found.yours = sum
		case closingRole:
			found.closing = sum
		}
	}
	return found
}

// match adds the phrases that a text begins with, and that have a key.
func (o *offers) match(words []byte, key uint64, seen *[maxPhrases/64 + 1]uint64, found *offer) {
	for n := o.at[slot(key)]; n > 0; n = o.next[n-1] {
		p := &o.phrases[n-1]
		if p.key == key && seen[n/64]&(1<<(n%64)) == 0 && bytes.HasPrefix(words, p.text) {
			seen[n/64] |= 1 << (n % 64)
			found.sums[p.kind] += int(p.weight)
		}
	}
}

// topicNames say what topics are, for the owner. Other kinds are none.
var topicNames = map[string]string{
	"search": "to bring visitors or a better place in search results", "guest": "articles or links",
	"design": "web pages or design",
	"lists":  "addresses or contacts", "loan": "loans", "crypto": "currencies or trading", "money": "easy work or money",
	"casino": "games for money", "pills": "medicine", "adult": "adult content", "goods": "goods as a trader does",
	"threat": "threats or false notices", "fraud": "money for a favour", "social": "followers or reviews",
	"outsource": "cheap staff or automation", "comment": "praise with a link", "job": "work for a fee",
}

// Points of an offer: so many for each unit of speech.score, and so many where both are as likely.
const (
	perScore = 30
	atEven   = 16
	maxOffer = 110
	minOffer = 10
	sureSum  = 3  // of the phrases of a kind, from which on it is sure
	unsure   = 55 // the most where no phrase of a topic or a pitch is sure
)

// checkOffer is about what mass mail offers, and in which words. What people ask, and their words, take away from it.
func checkOffer(s *submission) {
	points := min(int(math.Round(s.speech.score*perScore))+atEven, maxOffer)
	if s.offer.topics < 2 && s.offer.pitch < 2 && s.offer.closing < sureSum {
		points = min(points, unsure)
	}
	if points < minOffer {
		return
	}
	note := "it reads like mass mail"
	if at := s.offer.topic; at >= 0 && s.offer.sums[at] >= sureSum {
		note += " that offers " + topicNames[s.offers.kinds[at]]
	}
	sep := ": "
	for i, f := range s.speech.words {
		if s.speech.most[i] > 0 {
			note += sep + fmt.Sprintf("%q", s.said.words[f.from:f.to])
			sep = ", "
		}
	}
	s.add("offer", points, note)
}
