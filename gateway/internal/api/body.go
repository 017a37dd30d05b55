package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
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

var nameRule = fmt.Sprintf("Must be 1 to %d characters", tenant.MaxName)

// readName reads the name of a workspace, chatbot or key, without the spaces around it; "" when it is not valid.
func readName(in *strictjson.Reader) string {
	name, given := in.String("Must be a string")
	problem := tenant.CheckName(name)
	if problem == "" {
		return strings.TrimSpace(name)
	}
	if given || !in.Given() {
		in.Refuse(problem)
	}
	return ""
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
