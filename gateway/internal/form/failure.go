package form

import (
	"errors"
	"net/http"
	"strings"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
)

// mistake is what is wrong with what a visitor sent. The input is the visitor's name for it: its question, or what the
// form calls it; "": it is none that they can see.
type mistake struct {
	input string
	says  phrase
}

// mistakes are the cause of an error that a visitor can mend.
type mistakes []mistake

func (m mistakes) Error() string {
	texts := make([]string, len(m))
	for i, one := range m {
		texts[i] = english.say(one.says)
	}
	return strings.Join(texts, " ")
}

// invalid is a VALIDATION_ERROR: fields are for whoever sets the form up, told is for its visitor.
func invalid(fields []fault.Field, told mistakes) *fault.Error {
	f := fault.Invalid(fields)
	f.Cause = told
	return f
}

// errMisconfigured is why a form cannot work, whatever its visitors do.
var errMisconfigured = errors.New("the form is not set up correctly")

// failing is what a visitor reads when something failed.
type failing struct {
	title phrase
	texts []phrase
	again bool // it can help to send the form again
}

// failings are those of each kind of error; of others the owner has to know.
var failings = map[fault.Kind]failing{
	fault.Validation:         {failedTitle, []phrase{brokenOff}, true}, // where the visitor made no mistake
	fault.RateLimited:        {limitedTitle, []phrase{limited, sendLater}, true},
	fault.Timeout:            {failedTitle, []phrase{tooSlow}, true},
	fault.TooLarge:           {failedTitle, []phrase{tooLarge}, true},
	fault.NotFound:           {closedTitle, []phrase{closed}, false},
	fault.WorkspaceSuspended: {closedTitle, []phrase{suspended}, false},
	fault.Forbidden:          {notSentTitle, []phrase{wrongOrigin}, false},
	fault.KeyInProgress:      {unavailableTitle, []phrase{unavailable, sendLater}, true},
	fault.Unavailable:        {unavailableTitle, []phrase{unavailable, sendLater}, true},
	fault.Internal:           {unavailableTitle, []phrase{unavailable, sendLater}, true},
}

// failingOf returns what a visitor reads about an error, and the mistakes that are theirs.
func failingOf(f *fault.Error) (failing, mistakes) {
	var told mistakes
	if errors.As(f.Cause, &told) {
		return failing{checkTitle, nil, true}, told
	}
	found, ok := failings[f.Kind]
	if !ok || errors.Is(f.Cause, errMisconfigured) {
		found = failing{failedTitle, []phrase{notSetUp}, false}
	}
	return found, nil
}

// failure is the page that tells a visitor what went wrong.
func (l look) failure(f *fault.Error, requestID string) page {
	what, told := failingOf(f)
	p := page{Title: l.say(what.title), Text: l.paragraphs(what.texts), Request: l.say(requestIs, requestID)}
	for _, one := range told {
		p.Mistakes = append(p.Mistakes, toldMistake{fault.TruncateTo(one.input, maxNameSize), l.say(one.says)})
	}
	if what.again {
		p.Text = append(p.Text, l.say(goBack))
	}
	var refused refusedOrigin
	if errors.As(f.Cause, &refused) {
		p.Owner = &advice{l.say(ownerTitle), l.say(ownerNoOrigin), l.say(ownerGuide)}
		if refused.origin != "" {
			p.Owner.Text = l.say(ownerOrigin, refused.origin)
		}
	}
	return p
}

func (l look) paragraphs(texts []phrase) (all []string) {
	for _, text := range texts {
		if text == tooLarge {
			all = append(all, l.say(text, MaxBody>>10))
			continue
		}
		all = append(all, l.say(text))
	}
	return all
}

// forVisitor is what the answer to a script has for its visitor; the error itself is for whoever wrote the script.
type forVisitor struct {
	Lang string `json:"lang"`
	Text string `json:"text"`
}

// visitorText is what a script can show its visitor.
func (l look) visitorText(f *fault.Error) forVisitor {
	what, told := failingOf(f)
	texts := l.paragraphs(what.texts)
	for _, one := range told {
		texts = append(texts, l.say(one.says))
	}
	return forVisitor{l.tag, strings.Join(texts, " ")}
}

// fail answers a request that failed: a person with a page, a script with the envelope and what to tell the visitor.
func (q *request) fail(w http.ResponseWriter, f *fault.Error, requestID string) {
	l := q.look()
	if q.plain {
		p := l.failure(f, requestID)
		p.Entries = q.entries
		l.show(w, f.Kind.Status(), p)
		return
	}
	l.mark(w.Header())
	httpx.WriteFault(w, f, requestID, l.visitorText(f))
}
