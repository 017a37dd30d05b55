package sender

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

	"leadgate/shared/webhook"
)

// classify returns why there was no answer. The error's own text is not kept: it may describe our network.
func classify(err error) webhook.ErrorClass {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case is(err, ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork, ssrf.ErrInvalidHostPort):
		return webhook.FailedBlocked
	case is(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS): // no socket left here
		return webhook.FailedInternal
	case errors.Is(err, context.DeadlineExceeded):
		return webhook.FailedTimeout
	case errors.As(err, &dns):
		return webhook.FailedDNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return webhook.FailedRefused
	case aboutTLS(err):
		return webhook.FailedTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return webhook.FailedTimeout
	}
	return webhook.FailedConnection
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
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verify) || errors.As(err, &record) ||
		errors.As(err, &alert) || errors.As(err, &authority)
}

// detail describes a class to the endpoint's owner.
func detail(c webhook.ErrorClass, timeout time.Duration) string {
	switch c {
	case webhook.FailedTimeout:
		return fmt.Sprintf("no answer within %s", timeout)
	case webhook.FailedDNS:
		return "the host name does not resolve"
	case webhook.FailedRefused:
		return "the connection was refused"
	case webhook.FailedTLS:
		return "the certificate or the TLS handshake is not valid"
	case webhook.FailedBlocked:
		return "the address is not one webhooks may be sent to"
	case webhook.FailedInternal:
		return "no connection could be made on our side"
	default:
		return "the connection was closed before an answer"
	}
}
