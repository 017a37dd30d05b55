package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
)

// readJSON reads the body of a request that makes something.
func readJSON(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return httpx.ReadJSON(w, r, maxBody)
}

// readPatch reads the body of a PATCH: a JSON merge patch (RFC 7396), which may also come as plain JSON.
func readPatch(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return httpx.ReadJSON(w, r, maxBody, "application/merge-patch+json")
}

// readOptional reads the body of a request that may come without one; nil means that none came.
func readOptional(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	return readJSON(w, r)
}

// readEmptyBody accepts no body, and an empty object.
func readEmptyBody(w http.ResponseWriter, r *http.Request) error {
	body, err := readOptional(w, r)
	if body == nil || err != nil {
		return err
	}
	in := strictjson.NewReader(body, nil)
	in.Next()
	return in.Err()
}

// readID reads an id; zero when it is absent or not valid.
func readID(in *strictjson.Reader, prefix id.Prefix) (u id.UUID) {
	text, given := in.String(prefix.Rule())
	if !given {
		return u
	}
	u, err := prefix.Parse(text)
	if err != nil {
		in.Refuse(prefix.Rule())
	}
	return u
}

// readTime reads a time; zero when it is absent or not valid.
func readTime(in *strictjson.Reader) (at time.Time) {
	text, given := in.String(timeRule)
	if !given {
		return at
	}
	at, ok := parseTime(text)
	if !ok {
		in.Refuse(timeRule)
	}
	return at
}
