package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"syscall"

	"code.dny.dev/ssrf"

	"leadgate/shared/hook"
)

// classify says in one word why there was no answer. The error's own text is not kept: it can tell about our network.
func classify(err error) hook.ErrorClass {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case is(err, ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork, ssrf.ErrInvalidHostPort):
		return hook.FailedBlocked
	case errors.Is(err, context.DeadlineExceeded):
		return hook.FailedTimeout
	case errors.As(err, &dns):
		return hook.FailedDNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return hook.FailedRefused
	case aboutTLS(err):
		return hook.FailedTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return hook.FailedTimeout
	}
	return hook.FailedConnection
}

func is(err error, any ...error) bool {
	for _, target := range any {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func aboutTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &authority)
}
