package tenant

import (
	"slices"

	"leadgate/shared/lead"
)

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

// IsLeadField reports whether forms are likely to call a field of a lead so: then no honeypot can be called so.
func IsLeadField(name string) bool {
	field, rank := lead.FieldOf(name)
	return rank <= 0 && slices.Contains(FormTargets(), field)
}
