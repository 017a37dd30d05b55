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
	FormToken   = "_token"   // the signed token that the page asked for

	TurnstileField = "cf-turnstile-response"
	HCaptchaField  = "h-captcha-response"
	ReCaptchaField = "g-recaptcha-response"
	AltchaField    = "altcha"
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
	case Altcha:
		return AltchaField
	}
	return ""
}

// IsCaptchaField reports whether a verifier's token comes in a field of that name.
func IsCaptchaField(name string) bool {
	return slices.ContainsFunc(captchas, func(c string) bool { return CaptchaField(c) == name })
}

// IsLeadField reports whether forms are likely to call a field of a lead so: then no honeypot can be called so.
func IsLeadField(name string) bool {
	field, rank := lead.FieldOf(name)
	return rank <= 0 && slices.Contains(FormTargets(), field)
}
