package sender

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
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

// aboutTLS reports whether the handshake failed, here or at the receiver. TLS 1.3 tells of a receiver's refusal only
// when its answer is read. crypto/tls has no type for an alert, but its text is crypto/tls' own.
func aboutTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verify) || errors.As(err, &record) ||
		strings.HasPrefix(innermost(err).Error(), "tls: ")
}

func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// alerts are what receivers say in the handshake (RFC 8446, 6.2), in the words of crypto/tls and in ours.
var alerts = map[string]string{
	"tls: certificate required":           "the receiver asks for a client certificate, and webhooks have none",
	"tls: bad certificate":                "the receiver asks for a client certificate, and webhooks have none",
	"tls: unrecognized name":              "the receiver has no certificate for this host name",
	"tls: protocol version not supported": "the receiver does not speak TLS 1.2 or later",
	"tls: handshake failure":              "the receiver shares no TLS version or cipher with us, or asks for a client certificate",
}

// tlsDetail says which side refused what, and so what there is to mend.
func tlsDetail(err error) string {
	var expired x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	text := innermost(err).Error()
	switch {
	case errors.As(err, &expired) && expired.Reason == x509.Expired:
		return "the receiver's certificate has expired or is not valid yet"
	case errors.As(err, &name):
		return "the receiver's certificate is for another host name"
	case errors.As(err, &authority):
		return "the receiver's certificate is signed by an authority that is not known, or its chain is not complete"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "the receiver does not speak TLS at this port"
	case alerts[text] != "":
		return alerts[text]
	case strings.HasPrefix(text, "tls: server selected unsupported protocol version"):
		return alerts["tls: protocol version not supported"]
	}
	return "the certificate or the TLS handshake is not valid"
}

// detail describes a class to the endpoint's owner.
func detail(c webhook.ErrorClass, err error, timeout time.Duration) string {
	switch c {
	case webhook.FailedTimeout:
		return fmt.Sprintf("no answer within %s", timeout)
	case webhook.FailedDNS:
		return "the host name does not resolve"
	case webhook.FailedRefused:
		return "the connection was refused"
	case webhook.FailedTLS:
		return tlsDetail(err)
	case webhook.FailedBlocked:
		return "the address is not one webhooks may be sent to"
	case webhook.FailedInternal:
		return "no connection could be made on our side"
	default:
		return "the connection was closed before an answer"
	}
}
