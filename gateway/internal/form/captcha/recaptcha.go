package captcha

import "leadgate/shared/tenant"

// recaptcha is Google reCAPTCHA: v2, and v3, which scores.
func recaptcha() *siteverify {
	return &siteverify{name: tenant.ReCaptcha, url: "https://www.google.com/recaptcha/api/siteverify", scores: true}
}
