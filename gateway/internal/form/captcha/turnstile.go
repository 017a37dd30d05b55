package captcha

import "leadgate/shared/tenant"

// turnstile is Cloudflare Turnstile.
func turnstile() *siteverify {
	return &siteverify{name: tenant.Turnstile, url: "https://challenges.cloudflare.com/turnstile/v0/siteverify"}
}
