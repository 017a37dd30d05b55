package lead

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The fields of a lead that a form's field or a file's column can mean. The first five are what a form gives; the
// others are a file's alone.
const (
	FieldEmail     = "email"
	FieldName      = "name"
	FieldFirstName = "firstName" // is joined with the last
	FieldLastName  = "lastName"
	FieldPhone     = "phone"
	FieldSource    = "source"
	FieldStatus    = "status"
	FieldChatbot   = "chatbotId"
	FieldMetadata  = "metadata"
)

// maxKnownName is how many bytes a name may have that is looked up: a question, at most.
const maxKnownName = 200

// FieldOf returns which field of a lead people and programs mean by a name, whatever its case, separators, accents and
// language; "": none. Of several names for one field the one of the lowest rank is meant first: a mobile phone before
// that of the office, and an email before its repetition.
func FieldOf(name string) (field string, rank int) {
	if len(name) > maxKnownName {
		return "", 0
	}
	if isPlainWord(name) { // most names of what programs send
		w := vocabulary[name]
		return w.field, w.rank
	}
	parts := nameParts(name)
	if field, rank = fieldOf(parts); field != "" {
		return field, rank
	}
	for i := len(parts) - 2; i >= 0; i-- { // "Hi! What's your name?"
		if slices.Contains(yours, parts[i]) {
			field, rank = fieldOf(parts[i+1:])
			break
		}
	}
	if field != "" {
		return field, rank + inSentence
	}
	if cut := strings.LastIndexAny(name, "_-"); cut > 0 && isID(name[cut+1:]) {
		return FieldOf(name[:cut])
	}
	return "", 0
}

// TurkishName is "first name" in Turkish, and an advert in English.
const TurkishName = "ad"

// IsFirstNameBeside reports whether name means a first name because last means a surname: "Ad" beside "Soyad".
func IsFirstNameBeside(name, last string) bool {
	if !strings.EqualFold(strings.TrimSpace(name), TurkishName) {
		return false
	}
	field, _ := FieldOf(last)
	return field == FieldLastName && strings.HasPrefix(strings.ToLower(strings.TrimSpace(last)), "soy")
}

// yours is "your" in the questions of several languages.
var yours = strings.Fields("your votre ton ta ihr ihre dein deine su " +
	"tu seu sua tuo tua uw je twoj twoje din ditt ваш ваше ваша")

// isID reports whether a builder made a part of a name, to tell fields apart: email_cfe1.
func isID(part string) bool {
	return len(part) >= 4 && strings.Trim(part, "0123456789abcdef") == "" && strings.ContainsAny(part, "0123456789")
}

// isPlainWord reports whether name is as nameParts has it: one word of small letters.
func isPlainWord(name string) bool {
	for i := range len(name) {
		if name[i] < 'a' || name[i] > 'z' {
			return false
		}
	}
	return true
}

// inSentence is the rank of what only the end of a sentence says.
const inSentence = 10

// fieldOf is FieldOf for the words of a name.
func fieldOf(parts []string) (field string, rank int) {
	if w, ok := vocabulary[strings.Join(parts, "")]; ok {
		return w.field, w.rank
	}
	if n := len(parts); n > 1 && parts[n-1] == "label" { // which kind it is of: "Phone 1 - Label"
		return "", 0
	}
	kept, number := make([]string, 0, len(parts)), 0
	roles := make([]role, 0, 8)
	for i, part := range parts {
		r, isRole := nameRoles[part]
		switch digits := strings.Trim(part, "0123456789") == ""; {
		case digits && len(kept) > 0 && len(part) < 3:
			number = int(part[len(part)-1] - '0')
		case digits, part == "q" && i+1 < len(parts): // q3_email: the third question
		case isRole:
			roles = append(roles, r)
		default:
			kept = append(kept, part)
		}
	}
	w, ok := vocabulary[strings.Join(kept, "")]
	if !ok {
		w, ok = twice(kept)
	}
	switch {
	case !ok || parts[0] == "is": // is_mobile: a question about it
		return "", 0
	case w.field == FieldMetadata && !strings.HasSuffix(strings.Join(parts, ""), FieldMetadata): // metadata.company: a part of it
		return "", 0
	}
	rank = w.rank + max(0, 2*number-2)
	for _, r := range roles {
		isPart := w.field == FieldFirstName || w.field == FieldLastName
		switch {
		case r.noPerson && (isPart || w.field == FieldName), r.noName && w.field == FieldName,
			r != role{} && isPart && w.rank > 0: // the last contact is no surname
			return "", 0
		}
		if r.rank > 0 || w.field == FieldName {
			rank += r.rank
		}
	}
	return w.field, rank
}

// maxTwice is how many words two names of one field have together, at most.
const maxTwice = 6

// twice returns what is meant where a field is named twice: "First name / Prénom", "Telefon / Handy".
func twice(words []string) (w word, ok bool) {
	if len(words) > maxTwice {
		return word{}, false
	}
	for i := 1; i < len(words); i++ {
		a, known := vocabulary[strings.Join(words[:i], "")]
		b := vocabulary[strings.Join(words[i:], "")]
		if known && a.field == b.field {
			return word{a.field, min(a.rank, b.rank)}, true
		}
	}
	return word{}, false
}

// nameParts divides a name into words: lower case, without accents and without anything that is no letter or digit.
func nameParts(name string) (parts []string) {
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			parts = append(parts, b.String())
			b.Reset()
		}
	}
	const other, lower, upper, digit = 0, 1, 2, 3
	before := other
	for _, r := range norm.NFKD.String(name) {
		kind := other
		switch {
		case unicode.Is(unicode.M, r), unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point):
			continue // accents, and what cannot be seen
		case unicode.IsDigit(r):
			kind = digit
		case unicode.IsUpper(r):
			kind = upper
		case unicode.IsLetter(r):
			kind = lower
		}
		if kind == other || before != other && kind != before && !(before == upper && kind == lower) {
			end()
		}
		if before = kind; kind != other {
			b.WriteRune(plainLetter(unicode.ToLower(r)))
		}
	}
	end()
	return parts
}

// plainLetter returns the letter that people write for one that has no accent apart from it.
func plainLetter(r rune) rune {
	switch r {
	case 'ł':
		return 'l'
	case 'ø':
		return 'o'
	case 'ı':
		return 'i'
	case 'đ', 'ð':
		return 'd'
	}
	return r
}

// role is a word beside a field's own: whose it is, or of which kind.
type role struct {
	rank     int  // is added; below 0 only for names
	noName   bool // with it a name is another thing's: user_name and form_name are no persons' names
	noPerson bool // with it a first name is not the person's either: it is somebody else's
}

// nameRoles are the words beside a field's own that leave its meaning as it is.
var nameRoles = foldRoles(map[string]role{
	// fillers of questions, marks of what must be given, and what builders put before a name
	`your my the a an of is what s please enter in here required optional mandatory pflichtfeld obligatoire
	obligatorio value text input field txt fld frm inp no label webtolead cf wpcf acf ff et pb mf ctl content billing dein
	deine ihr ihre bitte votre ton vos tu su sus seu sua il tuo suo ваш ваше ваша la le el
	les de del des du di do da o uw je din ditt deres twoj twoje numer`: {},
	// whose it is
	`contact lead person visitor customer client subscriber guest applicant prospect respondent attendee buyer requester
	invitee registrant participant recipient payer student patient donor kontakt
	kunde kunden cliente contacto contatto contato`: {rank: -1},
	`user member primary main default preferred best personal direct form sender account login
	signup data payload properties fields attributes submission response entry`: {noName: true},
	`home private privat privee private particular domicile thuis maison casa домашний домашняя личный
	личная домашній особистий prywatny domowy soukromy sukromny domaci otthoni`: {rank: 2, noPerson: true},
	`work business office company professional job daytime evening geschaftlich dienstlich firma buro bureau pro trabajo empresa
	lavoro trabalho corporate organization organisation firmen рабочий рабочая служебный робочий робоча sluzbowy firmowy
	pracovni pracovny munkahelyi poslovni sluzbeni darba darbo`: {rank: 3, noPerson: true},
	`other alternate alternative secondary second additional another assistant другой другая
	дополнительный інший inny dalsi`: {rank: 8, noPerson: true},
	`shipping delivery`: {rank: 8},
	`confirm confirmation repeat again verify retype reenter wiederholen bestatigen confirmer confirmar conferma
	herhaal 確認 確認用`: {rank: 20},
})

func foldRoles(lists map[string]role) map[string]role {
	all := map[string]role{}
	for list, r := range lists {
		for word := range strings.FieldsSeq(list) {
			all[strings.Join(nameParts(word), "")] = r
		}
	}
	return all
}

// byMessage is the rank of numbers for messages. What is called so can also be a consent.
const byMessage = 6

// CanBePhone reports whether a text can be the phone that a name of this rank means: "yes" under SMS is none.
func CanBePhone(rank int, text string) bool {
	digits := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return rank < byMessage || digits >= minDigits
}

// word is what a name means.
type word struct {
	field string
	rank  int
}

// vocabulary is what names mean, written as nameParts has them, without separators.
var vocabulary = foldWords()

func foldWords() map[string]word {
	all := map[string]word{}
	for _, v := range []struct {
		field string
		rank  int
		words string
	}{
		{FieldEmail, 0, emailWords}, {FieldEmail, 4, "emailfrom replyto fromemail"},
		{FieldName, 0, fullNameWords}, {FieldName, 1, nameWords}, {FieldName, 3, "displayname fileas"},
		{FieldFirstName, 0, firstNameWords}, {FieldFirstName, 1, "first"},
		{FieldLastName, 0, lastNameWords}, {FieldLastName, 1, "last"},
		{FieldPhone, 0, phoneWords}, {FieldPhone, 1, mobileWords}, {FieldPhone, byMessage, "sms whatsapp whatsappnumber numerodewhatsapp viber"},
		{FieldPhone, -1, "fullphone phonefull internationalphone phoneinternational phonee164"},
		{FieldSource, 0, "source leadsource"}, {FieldStatus, 0, "status leadstatus"},
		{FieldChatbot, 0, "chatbotid"}, {FieldMetadata, 0, "metadata"},
	} {
		for w := range strings.FieldsSeq(v.words) {
			all[strings.Join(nameParts(w), "")] = word{v.field, v.rank}
		}
	}
	return all
}
