package verdict

import (
	"bytes"
	_ "embed"
	"math"
	"strconv"
	"strings"
)

// wordingList is what is learned from the texts in testdata: a weight and a feature in each line, the weight of no feature
// first. A feature is a word, two words that follow each other, the first letters of a word ("*"), two letters of East
// Asia, or a sign ("="). "#" is any number.
//
//go:generate env VERDICT_LEARN=1 go test -count=1 -run TestWordingIsLearned .
//go:embed wording.txt
var wordingList string

// wording knows which words mass mail has more often than people (weights above 0), and which people have.
type wording struct {
	bias  float64
	slots [wordingSlots]weighted // by hash; where one is taken, the next one is used
	signs [signCount]float64
	level [maxKinds][len(levels) + 1]float64 // of each kind of phrases, by how many levels it reaches
}

// weighted is a feature and its weight.
type weighted struct {
	hash   uint32 // 0: none
	weight int16  // in hundredths
}

const (
	wordingSlots = 1 << 15
	maxWeights   = wordingSlots / 2
	stemLetters  = 5
	minLetters   = 3 // of a word that is a feature by itself
	// so many more features count as known than there are, so that a few words alone prove nothing
	doubt = 8
)

// What a reason names: the features that speak most for mass mail. Numbers are not named, as they may be a phone's.
const (
	told        = 3
	minTold     = 5  // bytes
	maxTold     = 40 // bytes
	leastToTell = 40 // hundredths
)

// newWording reads a list as wordingList is. kinds are those of offers.txt.
func newWording(list string, kinds []string) *wording {
	w, n := &wording{}, 0
	signs := map[string]float64{}
	for line := range strings.Lines(list) {
		number, feature, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		weight, err := strconv.Atoi(number)
		if n++; err != nil || n > maxWeights {
			panic("wording.txt: " + line)
		}
		if feature == "" {
			w.bias = float64(weight) / 100
			continue
		}
		if feature[0] == '=' {
			signs[feature] = float64(weight) / 100
			continue
		}
		w.slots[w.slot(featureHash(feature))] = weighted{featureHash(feature), int16(weight)}
	}
	for sign, name := range signNames {
		w.signs[sign] = signs[name]
	}
	for kind, name := range kinds {
		for level := range levels {
			w.level[kind][level+1] = w.level[kind][level] + signs[levelName(name, level)]
		}
	}
	return w
}

// slot returns where a feature is, or would be.
func (w *wording) slot(hash uint32) uint32 {
	at := hash % wordingSlots
	for w.slots[at].hash != 0 && w.slots[at].hash != hash {
		at = (at + 1) % wordingSlots
	}
	return at
}

// feature is a feature of a text, and the words of it.
type feature struct {
	hash     uint32
	from, to int // in text.words
}

// Hashes are FNV-1a.
const (
	hashStart = 2166136261
	hashPrime = 16777619
	stemSalt  = 0x5BD1E995 // tells the beginning of a word from a word
)

// pairHash returns the hash of two words, from those of each.
func pairHash(a, b uint32) uint32 { return (a*31 ^ b) * hashPrime }

// featureHash returns the hash of a feature as wordingList writes it.
func featureHash(s string) (hash uint32) {
	s, isStem := strings.CutSuffix(s, "*")
	eachFeature([]byte(" "+s+" "), func(f feature) {
		if f.to-f.from == len(s) {
			hash = f.hash
		}
	})
	if isStem {
		hash ^= stemSalt
	}
	return hash
}

// eachFeature calls do with the features of text.words.
func eachFeature(words []byte, do func(feature)) {
	var before, stem, letter, letterBefore uint32
	hash, from, beforeFrom, letterFrom, letters := uint32(hashStart), 1, 0, 0, 0
	for i := 1; i < len(words); i++ {
		b := words[i]
		if b == ' ' {
			if i > from && letterFrom == 0 {
				if letters >= minLetters {
					do(feature{hash, from, i})
				}
				if letters > stemLetters+1 {
					do(feature{stem, from, i})
				}
				if before != 0 {
					do(feature{pairHash(before, hash), beforeFrom, i})
				}
				before, beforeFrom = hash, from
			}
			hash, from, letters, letterFrom, letterBefore = hashStart, i+1, 0, 0, 0
			continue
		}
		if isEastAsian(b) && i+2 < len(words) {
			letter = ((uint32(b)*hashPrime)^uint32(words[i+1]))*hashPrime ^ uint32(words[i+2])
			if letterBefore != 0 {
				do(feature{pairHash(letterBefore, letter), letterFrom, i + 3})
			}
			letterBefore, letterFrom = letter, i
			before = 0
			i += 2
			continue
		}
		if b&0xC0 != 0x80 {
			if letters == stemLetters {
				stem = hash ^ stemSalt
			}
			letters++
		}
		if '0' <= b && b <= '9' {
			if b = '#'; i > from && '0' <= words[i-1] && words[i-1] <= '9' {
				continue
			}
		}
		hash = (hash ^ uint32(b)) * hashPrime
	}
}

// isEastAsian reports whether a letter that begins with a byte is one of those that are written without spaces.
func isEastAsian(b byte) bool { return 0xE3 <= b && b <= 0xED }

// speech is what a text sounds like.
type speech struct {
	score float64       // log of how much likelier it is mass mail than a person's
	words [told]feature // that speak most for mass mail
	most  [told]int16   // their weights
}

// read weighs the words of a text, and its signs.
func (w *wording) read(words []byte, signs *signs) (s speech) {
	var seen [wordingSlots / 64]uint64
	sum, n := 0, 0
	eachFeature(words, func(f feature) {
		at := w.slot(f.hash)
		if w.slots[at].hash == 0 || seen[at/64]&(1<<(at%64)) != 0 {
			return
		}
		seen[at/64] |= 1 << (at % 64)
		weight := w.slots[at].weight
		sum += int(weight)
		n++
		if weight >= leastToTell && weight > s.most[told-1] && canBeTold(words[f.from:f.to]) {
			s.tell(f, weight)
		}
	})
	s.score = w.bias + float64(sum)/100/math.Sqrt(float64(n+doubt))
	for sign, has := range signs.has {
		if has {
			s.score += w.signs[sign]
		}
	}
	for kind, level := range signs.level {
		s.score += w.level[kind][level]
	}
	return s
}

// canBeTold reports whether words can be named to the owner.
func canBeTold(words []byte) bool {
	return len(words) >= minTold && len(words) <= maxTold && !bytes.ContainsAny(words, "0123456789")
}

// tell keeps a feature that speaks more than others. Of those that overlap it keeps one.
func (s *speech) tell(f feature, weight int16) {
	at := told - 1
	for i, g := range s.words {
		if s.most[i] > 0 && f.from < g.to && g.from < f.to {
			if s.most[i] >= weight {
				return
			}
			at = i
			break
		}
	}
	for ; at > 0 && s.most[at-1] < weight; at-- {
		s.words[at], s.most[at] = s.words[at-1], s.most[at-1]
	}
	s.words[at], s.most[at] = f, weight
}
