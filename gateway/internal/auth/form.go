package auth

import (
	"context"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// FormKey returns whose form the publishable key text opens. NOT_FOUND means that no form has this key, whatever the
// text is: a mistyped key, an expired one, or a secret key, which nobody should put into a page. WORKSPACE_SUSPENDED means
// that the form would work if its workspace were not suspended.
func (a *Auth) FormKey(ctx context.Context, text string) (*tenant.Principal, error) {
	none := fault.New(fault.NotFound, "There is no form at this address: its key is mistyped, expired or revoked")
	hash, ok := tenant.HashSecret(text)
	if kind, _, _ := tenant.KindOf(text); !ok || kind != tenant.PublishableKey {
		return nil, none
	}
	p, found, err := a.keys.get(ctx, hash)
	if err != nil {
		return nil, err
	}
	if !found || p.Form == nil || p.Kind != tenant.PublishableKey ||
		p.ExpiresAt != nil && !a.now().Before(*p.ExpiresAt) {
		return nil, none
	}
	if p.SuspendedAt != nil {
		return nil, a.suspended(p)
	}
	return p, nil
}
