package form

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// mediaType reads a Content-Type. Nobody at a form can mend that header, so that what is wrong after the type costs no
// more than itself: of a parameter that is given twice the first counts.
func mediaType(contentType string) (media string, params map[string]string) {
	media, params, err := mime.ParseMediaType(contentType)
	if err == nil {
		return media, params
	}
	media, rest, _ := strings.Cut(contentType, ";")
	media, _, _ = strings.Cut(media, ",") // the header was sent twice
	params = map[string]string{}
	for param := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(param, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(value, " \t\"'")
		if params[name] == "" {
			params[name] = value
		}
	}
	return strings.ToLower(strings.TrimSpace(media)), params
}

// maxBoundary is how long a boundary may be (RFC 2046, 5.1.1).
const maxBoundary = 70

// boundaryOf returns the boundary with which a body of multipart/form-data begins, whatever its header says: a script
// that sets Content-Type itself has none there, or another one. "": it is no such body.
func boundaryOf(raw []byte) string {
	first, rest, ok := bytes.Cut(bytes.TrimLeft(raw, "\r\n"), []byte("\n"))
	boundary, dashes := strings.CutPrefix(strings.TrimRight(string(first[:min(len(first), maxBoundary+8)]), " \t\r"), "--")
	if !ok || !dashes || boundary == "" || len(boundary) > maxBoundary {
		return ""
	}
	head := rest[:min(len(rest), 1<<10)]
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		head, _, _ = bytes.Cut(head, []byte(end))
	}
	for line := range bytes.SplitSeq(bytes.ToLower(head), []byte("\n")) {
		value, ok := bytes.CutPrefix(line, []byte("content-disposition:"))
		if ok && bytes.HasPrefix(bytes.TrimSpace(value), []byte("form-data")) {
			return boundary
		}
	}
	return ""
}

func (b *body) readMultipart(raw []byte, boundary string, d *decoder) error {
	const broken = "Must be complete multipart/form-data: it broke off"
	if boundary == "" || len(raw) > 0 && !bytes.Contains(raw, []byte("--"+boundary)) {
		return unreadable("Content-Type", "Must have the boundary of the body, as in multipart/form-data; boundary=x: "+
			"a browser sets it by itself where a script sends FormData and sets no Content-Type")
	}
	// Without the check of the end, a body that broke off would look complete.
	if !bytes.Contains(raw, []byte("--"+boundary+"--")) {
		return brokenBody(broken)
	}
	parts := multipart.NewReader(bytes.NewReader(raw), boundary)
	var pairs []pair
	for len(pairs) <= maxFields {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return brokenBody(broken)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return brokenBody(broken)
		}
		name := part.FormName()
		isJSON := strings.HasPrefix(part.Header.Get("Content-Type"), jsonType) // a Blob of a script, which is called a file
		if file := part.FileName(); file != "" && !isJSON {
			b.warn(strings.ToValidUTF8(name, "\uFFFD"), "Is a file, of which only the name is kept: this form accepts none")
			text = []byte(file)
		}
		pairs = append(pairs, pair{name, string(text)})
	}
	b.putAll(pairs, d)
	return nil
}
