package webhook

import (
	"fmt"
	"slices"
	"time"

	"leadgate/shared/fault"
)

// Ways to sign, as the signature header names them.
const (
	SignatureHMAC    = "v1"  // HMAC-SHA256
	SignatureEd25519 = "v1a" // ed25519
)

// SignatureSchemes returns every scheme.
func SignatureSchemes() []string { return []string{SignatureHMAC, SignatureEd25519} }

// SignatureScheme returns the scheme by which secret signs.
func SignatureScheme(secret string) string {
	if PublicKey(secret) != "" {
		return SignatureEd25519
	}
	return SignatureHMAC
}

// NewSecretFor returns a new secret that signs by a scheme.
func NewSecretFor(scheme string) string {
	if scheme == SignatureEd25519 {
		return NewSigningKey()
	}
	return NewSecret()
}

// SetEnabled enables an endpoint, which then begins with a clean record, or disables it for its owner. What it is
// already it stays.
func (e *Endpoint) SetEnabled(enabled bool, now time.Time) {
	switch {
	case enabled == e.Enabled:
	case enabled:
		e.Enabled, e.Disabled, e.Health = true, nil, Health{LastSuccessAt: e.Health.LastSuccessAt}
	default:
		e.Enabled, e.Disabled, e.Health.ProbeAt = false, &Disabled{At: now, Reason: DisabledByOwner}, nil
	}
}

// Rotate makes secret the current one. The one before also signs for overlap; expired ones are dropped.
// Where more than MaxFormer would sign besides the current one it is a CONFLICT.
func (e *Endpoint) Rotate(secret string, overlap time.Duration, now time.Time) error {
	former := e.LiveFormer(now)
	if overlap > 0 && e.Secret != secret {
		former = append(former, FormerSecret{Secret: e.Secret, Until: now.Add(overlap)})
	}
	former = slices.DeleteFunc(former, func(f FormerSecret) bool { return f.Secret == secret })
	if len(former) > MaxFormer {
		return fault.New(fault.Conflict, fmt.Sprintf("At most %d former secrets can be in use at a time: "+
			"wait until one expires, or rotate with overlapSeconds 0", MaxFormer))
	}
	e.Secret, e.Former = secret, former
	return nil
}

// LiveFormer returns the former secrets that sign at now.
func (e *Endpoint) LiveFormer(now time.Time) []FormerSecret {
	return slices.DeleteFunc(slices.Clone(e.Former), func(f FormerSecret) bool { return !f.Until.After(now) })
}
