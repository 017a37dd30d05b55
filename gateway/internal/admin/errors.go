package admin

import (
	"net/http"
	"slices"
	"strings"

	"leadgate/gateway/internal/failures"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
)

const errorsPath = root + "errors"

// serverErrors are the newest answers of 500 and above.
type serverErrors struct {
	Errors []failures.Kept `json:"errors"`
	Shared bool            `json:"allGateways"` // false: Redis is away, so these are of this gateway alone
}

// findErrors returns what is kept, or of that the one with the request id that the query names.
func (s *server) findErrors(r *http.Request) (found serverErrors, wanted string, err error) {
	wanted = strings.TrimSpace(r.URL.Query().Get("requestId"))
	if wanted != "" {
		if _, err := id.Request.Parse(wanted); err != nil {
			return found, wanted, fault.InvalidField("requestId", fault.Truncate(wanted),
				"Must be the X-Request-Id of an answer: req_ and 26 characters")
		}
	}
	found.Errors, found.Shared = s.failures.Recent(r.Context())
	if wanted != "" {
		found.Errors = slices.DeleteFunc(found.Errors, func(k failures.Kept) bool { return k.RequestID != wanted })
	}
	if found.Errors == nil {
		found.Errors = []failures.Kept{}
	}
	return found, wanted, nil
}

func (s *server) listErrors(w http.ResponseWriter, r *http.Request) error {
	found, _, err := s.findErrors(r)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, found)
}

func errorsPage(v *visit) error {
	found, wanted, err := v.findErrors(v.r)
	v.problem = err
	return v.show("errors.html", "Server errors", struct {
		serverErrors
		Wanted string
	}{found, wanted})
}
