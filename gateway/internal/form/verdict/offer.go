package verdict

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed offers.txt
var offersList string

// phrase is a phrase of offers.txt.
type phrase struct {
	text   []byte // as text.words has it, with the space before; in East Asia without
	key    uint32 // its first four bytes
	kind   uint8  // index of offers.kinds
	weight uint8
}

// offers knows what mass mail offers, and how.
type offers struct {
	kinds   []string
	phrases []phrase
	at      [4096]uint16 // the first phrase for each slot, plus one; 0: none
	next    []uint16     // the next phrase of the same slot, plus one
}

// Kinds of phrases that are no topics. A topic that ends in "!" is offered even where nothing else sounds like a pitch.
const (
	pitchKind = "pitch"
	askKind   = "ask"
	forceful  = "!"
)

// maxPhrases bounds offers.txt, because a text's phrases are marked in an array.
const maxPhrases = 2048

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
			if known[kind+string(w)] || len(w) < 4 || len(o.phrases) == maxPhrases {
				continue
			}
			known[kind+string(w)] = true
			at := slices.Index(o.kinds, kind)
			if at < 0 {
				at, o.kinds = len(o.kinds), append(o.kinds, kind)
			}
			key := binary.BigEndian.Uint32(w)
			o.phrases = append(o.phrases, phrase{w, key, uint8(at), uint8(n)})
			o.next = append(o.next, o.at[slot(key)])
			o.at[slot(key)] = uint16(len(o.phrases))
		}
	}
	return o
}

// slot is where phrases are that begin with four bytes.
func slot(key uint32) uint32 { return key * 2654435761 >> 20 }

// offer is what a text offers, and how.
type offer struct {
	topic    string // what is offered most
	forceful bool
	topics   int // weights of what is offered, in all
	pitch    int // how much it sounds like a stranger who sells
	ask      int // how much it sounds like somebody who asks
	example  string
}

// read finds the phrases of a text.
func (o *offers) read(words []byte) (found offer) {
	var seen [maxPhrases/64 + 1]uint64
	var sums [32]int
	best := uint8(0)
	for i := 0; i+4 <= len(words); i++ {
		if words[i] != ' ' && (words[i] < 0xE3 || words[i] > 0xF0) { // no word, and no letter of East Asia
			continue
		}
		key := binary.BigEndian.Uint32(words[i:])
		for n := o.at[slot(key)]; n > 0; n = o.next[n-1] {
			p := &o.phrases[n-1]
			if p.key != key || seen[n/64]&(1<<(n%64)) != 0 || !bytes.HasPrefix(words[i:], p.text) {
				continue
			}
			seen[n/64] |= 1 << (n % 64)
			sums[p.kind] += int(p.weight)
			if o.kinds[p.kind] == pitchKind && p.weight > best {
				best, found.example = p.weight, strings.TrimSpace(string(p.text))
			}
		}
	}
	most := 0
	for kind, sum := range sums[:len(o.kinds)] {
		switch name := o.kinds[kind]; {
		case name == pitchKind:
			found.pitch = sum
		case name == askKind:
			found.ask = sum
		default:
			found.topics += sum
			if sum > most {
				most = sum
				found.topic, found.forceful = strings.CutSuffix(name, forceful)
			}
		}
	}
	return found
}

// what topics are, for the owner.
var topicNames = map[string]string{
	"search": "to bring visitors or a better place in search results", "guest": "articles or links",
	"design": "web pages or design",
	"lists":  "addresses or contacts", "loan": "loans", "crypto": "currencies or trading", "money": "easy work or money",
	"casino": "games for money", "pills": "medicine", "adult": "adult content", "goods": "goods as a trader does",
	"threat": "threats or false notices", "fraud": "money for a favour", "social": "followers or reviews",
	"outsource": "cheap staff or automation",
}

// Bounds of the points of an offer.
const (
	maxTopicWeight    = 6
	maxForcefulWeight = 9
	maxPitchWeight    = 7
	perWeight         = 8
	topicLoud         = 4
	topicSure         = 10
	topicAlone        = 24 // people ask about what others offer
	pitchAlone        = 36
)

// checkOffer is about what mass mail offers. What is asked for takes away from it.
func checkOffer(s *submission) {
	o := s.offer
	if s.page != "" && strings.Contains(string(s.said.words), foldHost(s.page)) {
		o.pitch++ // people rarely say which page they are on
	}
	most := maxTopicWeight
	if o.forceful {
		most = maxForcefulWeight
	}
	topics, pitch := min(max(o.topics-o.ask/2, 0), most), min(max(o.pitch-o.ask, 0), maxPitchWeight)
	points := perWeight * (topics + pitch)
	switch {
	case topics < 2:
		points = min(perWeight*pitch, pitchAlone)
	case pitch < 2 && topics < topicLoud:
		return
	case pitch < 2 && (!o.forceful || o.ask >= 2 && o.topics < topicSure+o.ask):
		points = min(points, topicAlone)
	}
	if points < perWeight {
		return
	}
	note := fmt.Sprintf("it sounds like mass mail that offers %s", topicNames[o.topic])
	if topics < 2 {
		note = "it sounds like mass mail"
	}
	if o.example != "" {
		note += fmt.Sprintf(": %q", o.example)
	}
	s.add("offer", points, note)
}

// foldHost returns a host as text.words has it.
func foldHost(host string) string { return " " + strings.ReplaceAll(host, ".", " ") + " " }
