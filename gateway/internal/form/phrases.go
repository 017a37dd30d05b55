package form

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/text/language"

	"leadgate/shared/tenant"
)

// phrase is a text that a visitor of a form can meet.
type phrase int

// The phrases. What has a placeholder says so.
const (
	thanksTitle phrase = iota
	thanksText
	back   // a link to the page of the form
	backTo // the same, to a site: its name

	addressTitle
	addressText
	addressOwner
	addressGuide // a link

	checkTitle
	limitedTitle
	unavailableTitle
	failedTitle
	closedTitle
	notSentTitle

	emailMissing
	emailOrPhoneMissing
	emailWrong
	emailTwice
	captchaMissing
	captchaFailed
	proofMissing
	brokenOff
	goBack
	limited
	sendLater
	tooLarge // KiB
	tooSlow
	notSetUp
	closed
	suspended
	unavailable
	wrongOrigin
	entriesTitle

	ownerTitle
	ownerOrigin // an origin
	ownerNoOrigin
	ownerGuide // a link
	requestIs  // the request's id

	// of form.js
	scriptChecking
	scriptChecked
	scriptFailed

	phraseCount
)

// tongue is a language that the pages speak.
type tongue struct {
	tag   string // BCP 47
	texts [phraseCount]string
}

// say returns a phrase.
func (t *tongue) say(p phrase, args ...any) string {
	if len(args) == 0 {
		return t.texts[p]
	}
	return fmt.Sprintf(t.texts[p], args...)
}

// tongues are in the order of tenant.Languages. The first is for visitors who understand none of them.
var tongues = []*tongue{&english, &german, &french, &spanish, &portuguese, &japanese}

var matcher = func() language.Matcher {
	var tags []language.Tag
	for _, tag := range tenant.Languages() {
		tags = append(tags, language.Make(tag))
	}
	return language.NewMatcher(tags)
}()

// maxAcceptLanguage is how many bytes of an Accept-Language header are read: browsers send about 50.
const maxAcceptLanguage = 256

// tongueOf returns the language of a form, or where it has none the one that a visitor understands best.
func tongueOf(fixed string, h http.Header) *tongue {
	if fixed == "" {
		asked := strings.Join(h.Values("Accept-Language"), ",")
		if len(asked) > maxAcceptLanguage {
			asked = asked[:maxAcceptLanguage]
			asked = asked[:strings.LastIndexByte(asked, ',')+1]
		}
		_, at := language.MatchStrings(matcher, asked)
		return tongues[at]
	}
	for _, t := range tongues {
		if t.tag == fixed {
			return t
		}
	}
	return tongues[0]
}

// ScriptTexts returns what form.js says, by language.
func ScriptTexts() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, t := range tongues {
		all[t.tag] = map[string]string{
			"checking": t.texts[scriptChecking], "checked": t.texts[scriptChecked], "failed": t.texts[scriptFailed]}
	}
	return all
}
