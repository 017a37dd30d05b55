package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb"
)

// Authority issues certificates for a test.
type Authority struct {
	t   testing.TB
	dir string
	pem string
	crt *x509.Certificate
	key *ecdsa.PrivateKey
}

// Text is a PEM that never changes.
type Text string

// Current is the text.
func (t Text) Current() (string, error) { return string(t), nil }

// NewAuthority makes one that nobody else knows.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: dir(t)}
	a.pem, _ = a.issue("Test CA")
	return a
}

// issue makes a certificate for names and IP addresses. The first is the authority's own.
func (a *Authority) issue(names ...string) (cert, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	want := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			want.IPAddresses = append(want.IPAddresses, ip)
		} else {
			want.DNSNames = append(want.DNSNames, name)
		}
	}
	by, signer := a.crt, a.key
	if by == nil {
		want.IsCA, want.BasicConstraintsValid, want.DNSNames = true, true, nil
		want.KeyUsage |= x509.KeyUsageCertSign
		by, signer = want, private
	}
	der, err := x509.CreateCertificate(rand.Reader, want, by, &private.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.crt == nil {
		if a.crt, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
		a.key = private
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

// ClientFiles are the authority's certificate, a client's, and its key.
func (a *Authority) ClientFiles() (ca, cert, key string) {
	a.t.Helper()
	certText, keyText := a.issue("client.example.com")
	return a.file("ca.pem", a.pem), a.file("client.pem", certText), a.file("client.key", keyText)
}

func (a *Authority) file(name, text string) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // the server may run as another user
		a.t.Fatal(err)
	}
	return path
}

// Client is a client that trusts the authority and has a certificate of it.
func (a *Authority) Client() rdb.TLS {
	a.t.Helper()
	cert, key := a.issue("client.example.com")
	return rdb.TLS{CA: Text(a.pem), Cert: Text(cert), Key: Text(key)}
}

// Server is what a server with a certificate for names needs; its files have the first as their name.
func (a *Authority) Server(names ...string) *devstack.RedisTLS {
	a.t.Helper()
	cert, key := a.issue(names...)
	return &devstack.RedisTLS{CA: a.file("ca.pem", a.pem), Cert: a.file(names[0]+".pem", cert),
		Key: a.file(names[0]+".key", key), Client: a.Client()}
}
