package tenant

import "strings"

// Names of a form's fields that are about the form and not about the lead.
const (
	FormNext    = "_next"    // where a plain form goes next
	FormElapsed = "_elapsed" // milliseconds since the page was shown
	FormPage    = "_page"    // the URL of the page

	TurnstileField = "cf-turnstile-response"
	HCaptchaField  = "h-captcha-response"
	ReCaptchaField = "g-recaptcha-response"
)

// CaptchaField returns the field in which a verifier's token comes; "": there is no such verifier.
func CaptchaField(captcha string) string {
	switch captcha {
	case Turnstile:
		return TurnstileField
	case HCaptcha:
		return HCaptchaField
	case ReCaptcha:
		return ReCaptchaField
	}
	return ""
}

// The results of FormField.
const (
	FieldName      = "name"
	FieldFirstName = "firstName"
	FieldLastName  = "lastName"
	FieldEmail     = "email"
	FieldPhone     = "phone"
)

// aliases are the names that forms use for a lead's fields, in lower case and without separators.
var aliases = map[string]string{
	"name": FieldName, "fullname": FieldName, "yourname": FieldName,
	"firstname": FieldFirstName, "fname": FieldFirstName, "givenname": FieldFirstName,
	"lastname": FieldLastName, "lname": FieldLastName, "surname": FieldLastName, "familyname": FieldLastName,
	"email": FieldEmail, "emailaddress": FieldEmail, "mail": FieldEmail, "youremail": FieldEmail,
	"phone": FieldPhone, "phonenumber": FieldPhone, "tel": FieldPhone, "telephone": FieldPhone, "mobile": FieldPhone,
}

// FormField returns which field of a lead a form's field of this name is, whatever its case and separators; "": none.
func FormField(name string) string {
	return aliases[strings.ToLower(strings.Map(func(r rune) rune {
		switch r {
		case '_', '-', ' ', '.':
			return -1
		}
		return r
	}, name))]
}
