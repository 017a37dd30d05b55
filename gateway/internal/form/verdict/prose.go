package verdict

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// asksForWebsite reports whether a field of this name asks for the visitor's own address in the web.
func asksForWebsite(name string) bool {
	name = strings.ToLower(name[strings.LastIndexAny(name, "[.")+1:])
	for _, word := range [...]string{"website", "webseite", "homepage", "url", "site", "domain", "strona", "sitio", "сайт",
		"linkedin",
		"portfolio", "page", "instagram", "facebook", "web"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// messageWords are in the names of fields for free text, and messageNames end them. With a number behind it, a name of
// the latter says nothing: text_3.
var (
	messageWords = strings.Fields(`messag mensaj mensag messagg nachricht mitteilung meddel besked melding viesti wiadom
		zprav zpráv sprav správ üzenet uzenet mesaj comment kommentar coment commento opmerking
		komentar komentář bemerkung enquir inquir anfrage demande richiesta solicitud pesan μήνυμα μηνυμα сообщен повідомл коммент
		メッセージ 問い合わせ 問合せ 内容 留言 消息 咨询 諮詢 메시지 문의 내용 رسالة הודעה ข้อความ संदेश feedback describ description beschreibung
		remark tinnhan`)
	messageNames = strings.Fields("text body content contents note notes details msg textarea help bericht question questions frage вопрос")
)

// asksForMessage reports whether a field of this name asks for free text.
func asksForMessage(name string) bool {
	name = strings.ToLower(name)
	if slices.ContainsFunc(messageWords, func(word string) bool { return strings.Contains(name, word) }) {
		return true
	}
	name = strings.TrimRight(name, " ]?:*")
	for i := len(name); i > 0; { // the first byte of the last word
		r, size := utf8.DecodeLastRuneInString(name[:i])
		if !unicode.IsLetter(r) {
			return slices.Contains(messageNames, name[i:])
		}
		i -= size
	}
	return slices.Contains(messageNames, name)
}

// How long a text is that nobody writes as a company, a topic or a choice.
const (
	proseWords   = 8
	proseLetters = 20 // where words have no spaces between them
)

// isProse reports whether a text says something in sentences, whatever its field is called.
func isProse(text string) bool {
	words, letters := 0, 0
	for word := range strings.FieldsSeq(text) {
		words++
		for _, r := range word {
			if r >= 0x2E80 {
				letters++
			}
		}
		if words >= proseWords || letters >= proseLetters {
			return true
		}
	}
	return false
}

// maxLinkTokens is how many links a field may have that has nothing else.
const maxLinkTokens = 5

// isLinks reports whether a text is the address of a page or a domain, or a few of them, and nothing else: a profile, a
// file that was uploaded, the page before, a company that is called like its domain.
func isLinks(text string, ends map[string]bool) bool {
	count := 0
	for token := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == ',' || r == ';' || r == '|'
	}) {
		if count++; count > maxLinkTokens || strings.ContainsAny(token, `<>[]"`) || hostOf(token, ends) == "" {
			return false
		}
	}
	return count > 0
}
