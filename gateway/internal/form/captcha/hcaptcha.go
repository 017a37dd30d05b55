package captcha

import "leadgate/shared/tenant"

// hcaptcha is hCaptcha. It has a score only for some customers, where it means the opposite of reCAPTCHA's.
func hcaptcha() *siteverify {
	return &siteverify{name: tenant.HCaptcha, url: "https://api.hcaptcha.com/siteverify"}
}
