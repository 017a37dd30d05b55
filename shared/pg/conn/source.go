package conn

import (
	"database/sql/driver"
	"fmt"
	"net/url"
	"sync"

	"github.com/lib/pq"
)

// source is what connections are made from: the driver's connectors of a URL, one for each host, which are made anew
// when the URL changes.
type source struct {
	opt Options

	mu   sync.Mutex
	text string
	made []*pq.Connector
}

// Driver implements driver.Connector.
func (*source) Driver() driver.Driver { return &pq.Driver{} }

// hosts returns the connectors for the URL as it is now. One that cannot be read, or is not valid, as while somebody
// writes it, is passed over.
func (s *source) hosts() []*pq.Connector {
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
	if made, err := connectors(u); err == nil {
		s.text, s.made = text, made
	}
	return s.made
}

// connectors returns one for each host of u.
func connectors(u *url.URL) (all []*pq.Connector, err error) {
	for _, one := range splitHosts(u) {
		host, err := pq.NewConnector(one.String())
		if err != nil {
			return nil, fmt.Errorf("database URL: %w", err)
		}
		host.Dialer(newDialer())
		all = append(all, host)
	}
	return all, nil
}
