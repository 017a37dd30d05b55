package conn

import (
	"database/sql/driver"
	"fmt"
	"net/url"
	"sync"

	"github.com/lib/pq"
)

// source is what connections are made from: the driver's connector of a URL, which is made anew when the URL changes.
type source struct {
	opt Options

	mu   sync.Mutex
	text string
	made *pq.Connector
}

// Driver implements driver.Connector.
func (*source) Driver() driver.Driver { return &pq.Driver{} }

// connector returns the connector for the URL as it is now. One that cannot be read, or is not valid, as while somebody
// writes it, is passed over.
func (s *source) connector() *pq.Connector {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opt.Current == nil {
		return s.made
	}
	text, err := s.opt.Current()
	if err != nil || text == s.text {
		return s.made
	}
	u, _, err := connectionURL(text, s.opt)
	if err != nil {
		return s.made
	}
	if _, err := takeUnprepared(u); err != nil { // it holds as it was at the start
		return s.made
	}
	if made, err := newConnector(u); err == nil {
		s.text, s.made = text, made
	}
	return s.made
}

func newConnector(u *url.URL) (*pq.Connector, error) {
	splitHosts(u)
	made, err := pq.NewConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	made.Dialer(newDialer())
	return made, nil
}
