package lead

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
)

// A number in international form reads as the library reads it: examples of every region and kind, and what is near
// them.
func TestInternationalNumbersReadAsTheLibraryReadsThem(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	sure := 0
	for region := range phonenumbers.GetSupportedRegions() {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			number := phonenumbers.Format(example, phonenumbers.E164)
			all := []string{number, number[:len(number)-1], number + "0", phonenumbers.Format(example, phonenumbers.INTERNATIONAL)}
			for range 8 {
				other := []byte(number)
				other[1+random.IntN(len(other)-1)] = byte('0' + random.IntN(10))
				all = append(all, string(other))
			}
			for _, text := range all {
				if wantAsLibrary(t, text) {
					sure++
				}
			}
		}
	}
	if sure < 10_000 {
		t.Errorf("%d numbers were read without the library, want most", sure)
	}
}

func FuzzInternational(f *testing.F) {
	for _, seed := range []string{"+15550100131", "+39 06 1234567", "+44 (0)20 7946 0018", "+1-650-253-0000", "+7 800 555 35 35",
		"+54 9 11 2345 6789", "+52 1 55 1234 5678", "+80012345678", "+0", "+ 4 6", "+1", "+999 123", "+390000", "+290 0000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		head, _ := splitPhone(text)
		wantAsLibrary(t, head)
	})
}

func wantAsLibrary(t *testing.T, text string) (sure bool) {
	t.Helper()
	got, gotOK, sure := parseInternational(text)
	if !sure {
		return false
	}
	want, wantOK := parseAny(text, "")
	if diff := cmp.Diff(want, got); gotOK != wantOK || gotOK && diff != "" {
		t.Errorf("parseInternational(%q) = %+v, %v, the library says %+v, %v", text, got, gotOK, want, wantOK)
	}
	return true
}

func BenchmarkParsePhone(b *testing.B) {
	for _, text := range []string{"+15550100131", "+1 (650) 253-0000", "+44 20 7946 0018", "+49 151 23456789", "030 901820"} {
		b.Run(strings.ReplaceAll(fmt.Sprint(text), " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParsePhone(text, "DE")
			}
		})
	}
}
