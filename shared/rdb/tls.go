package rdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// PEM is a text that may be read anew: certificates are renewed while a process runs.
type PEM interface{ Current() (string, error) }

// TLS is whom we trust and who we are at rediss://, each nil or "" where it is not set.
type TLS struct {
	CA        PEM // certificates of authorities; else those of the system
	Cert, Key PEM // ours, where Redis asks for one
}

func read(p PEM) (string, error) {
	if p == nil {
		return "", nil
	}
	return p.Current()
}

// Check returns what is wrong with it.
func (t TLS) Check() error {
	_, err := t.config()
	return err
}

// config reads the texts as they are now.
func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	ca, err := read(t.CA)
	if err != nil {
		return nil, err
	}
	if ca != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("the CA of Redis: want certificates in PEM")
		}
	}
	cert, err := read(t.Cert)
	if err != nil {
		return nil, err
	}
	key, err := read(t.Key)
	if err != nil {
		return nil, err
	}
	if cert == "" && key == "" {
		return c, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New("our certificate for Redis: want the certificate and its key, or neither")
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("our certificate for Redis: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// dialer makes connections of which each is verified by the name of the node it goes to. Nodes of a cluster and masters
// that sentinels name are often announced by an address, or by a name inside a network that no certificate has, so the
// names of the URL count as well.
func (t TLS) dialer(addrs []string, unverified bool, timeout time.Duration) func(context.Context, string, string) (
	net.Conn, error) {
	var names []string
	for _, addr := range addrs {
		host, _, _ := net.SplitHostPort(addr)
		names = append(names, host)
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := t.config()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if c.ServerName = host; net.ParseIP(host) != nil {
			c.ServerName = names[0] // a proxy may choose by it
		}
		c.InsecureSkipVerify = true // VerifyConnection does it, for more than one name
		if !unverified {
			c.VerifyConnection = verify(c.RootCAs, append([]string{host}, names...))
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		raw, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, c)
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", addr, err) // a server without TLS just waits
		}
		return conn, nil
	}
}

// verify accepts a certificate for any of names; the error is that of the first.
func verify(roots *x509.CertPool, names []string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		opt := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			opt.Intermediates.AddCert(c)
		}
		var first error
		for _, opt.DNSName = range names {
			_, err := s.PeerCertificates[0].Verify(opt)
			if err == nil {
				return nil
			}
			if first == nil {
				first = &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
			}
		}
		return first
	}
}
