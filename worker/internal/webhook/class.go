package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

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
	case is(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS): // no socket left here, which is no endpoint's fault
		return hook.FailedInternal
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

// words say more of a class, to the endpoint's owner.
func words(c hook.ErrorClass, timeout time.Duration) string {
	switch c {
	case hook.FailedTimeout:
		return fmt.Sprintf("no answer within %s", timeout)
	case hook.FailedDNS:
		return "the host name does not resolve"
	case hook.FailedRefused:
		return "nobody listens there"
	case hook.FailedTLS:
		return "the certificate or the TLS handshake is not valid"
	case hook.FailedBlocked:
		return "the address is not one webhooks may be sent to"
	case hook.FailedInternal:
		return "no connection could be made on our side"
	default:
		return "broken off before an answer"
	}
}
