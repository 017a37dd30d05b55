package httpx

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"leadgate/shared/fault"
)

// ReadJSON returns the body of a request that says it is application/json, or of another given media type that is JSON,
// and is at most maxBytes bytes. Errors: UNSUPPORTED_MEDIA_TYPE, and those of ReadBody.
func ReadJSON(w http.ResponseWriter, r *http.Request, maxBytes int64, others ...string) ([]byte, error) {
	if !isJSON(r.Header.Get("Content-Type"), others) {
		return nil, fault.New(fault.MediaType, "Content-Type must be "+strings.Join(append([]string{"application/json"},
			others...), " or "))
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, fault.New(fault.MediaType, "Content-Encoding is not supported; send the body uncompressed")
	}
	body, err := ReadBody(w, r, maxBytes)
	return bytes.TrimPrefix(body, utf8Mark), err
}

// utf8Mark is the byte order mark that some programs write before UTF-8; a reader of JSON may ignore it (RFC 8259,
// 8.1).
var utf8Mark = []byte("\xEF\xBB\xBF")

// ReadBody returns the body of a request, whatever it is, if it is at most maxBytes bytes. It can be called again: the
// body was read by then. Errors: PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, VALIDATION_ERROR when the body breaks off, and
// those of Charge.
func ReadBody(w http.ResponseWriter, r *http.Request, maxBytes int64) ([]byte, error) {
	if read, again := r.Body.(*readBody); again && int64(len(read.data)) <= maxBytes {
		return read.data, nil
	}
	if r.ContentLength > maxBytes {
		w.Header().Set("Connection", "close") // its body may stay unread
		discard(r)
		return nil, tooLarge(maxBytes)
	}
	if x := of(r); x != nil {
		w = x.ResponseWriter // MaxBytesReader closes the connection only of net/http's own writer
	}
	b, err := readAll(r, http.MaxBytesReader(w, r.Body, maxBytes), maxBytes)
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			discard(r)
			return nil, tooLarge(maxBytes)
		}
		w.Header().Set("Connection", "close") // what may still come of the body is no request
		if fault.Is(err, fault.Unavailable) {
			return nil, err
		}
		return nil, brokenOff(r, err)
	}
	r.Body = &readBody{r.Body, b}
	return b, nil
}

// maxDiscarded is how many bytes of a body that is too large are read all the same.
const maxDiscarded = 16 << 20

// discard reads what is left of a body that is too large: many clients read no answer before they have sent everything,
// and find the connection broken instead. It reads nothing where the client waits to be told to send its body (RFC 9110,
// 10.1.1), or says that it is larger still. The server's ReadTimeout bounds how long it takes.
func discard(r *http.Request) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= maxDiscarded {
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded) // a failed read means the client has left
	}
}

// readBody is a body that was read to its end, and what it was.
type readBody struct {
	io.ReadCloser
	data []byte
}

// brokenOff tells a body that came too slowly from one that ended too early.
func brokenOff(r *http.Request, err error) error {
	f := fault.InvalidField("body", nil, "The request body broke off before its end")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f = fault.New(fault.Timeout, "The request body did not arrive in time")
		if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ReadTimeout > 0 {
			f.Public = "The request body did not arrive within " + strconv.FormatFloat(s.ReadTimeout.Seconds(), 'f', -1, 64) +
				" s"
		}
	}
	f.Cause = withoutAddress(err)
	return f
}

// withoutAddress is what kind of failure err is: a connection's error also tells the client's address, which no log
// should have.
func withoutAddress(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// isJSON accepts application/json and others, alone or with a charset that is UTF-8 or a part of it: RFC 8259 knows no
// other.
func isJSON(contentType string, others []string) bool {
	if contentType == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" && !slices.Contains(others, media) {
		return false
	}
	charset, given := params["charset"]
	return !given || slices.Contains(utf8Names, strings.ToLower(charset))
}

// utf8Names are names that programs have for UTF-8 (WHATWG Encoding, 4.2) and for ASCII, in lower case.
var utf8Names = []string{"utf-8", "utf8", "us-ascii", "ascii"}

func tooLarge(maxBytes int64) error {
	return fault.New(fault.TooLarge, "The request body is larger than "+strconv.FormatInt(maxBytes/1024, 10)+" KiB")
}
