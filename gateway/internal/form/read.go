package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
)

// MaxBody is how many bytes a submission may have: services send the questions with the answers.
const MaxBody = 256 << 10

// Media types of a submission.
const (
	urlencodedType = "application/x-www-form-urlencoded"
	multipartType  = "multipart/form-data"
	jsonType       = "application/json"
	textType       = "text/plain"
)

// body is a submission as it came: a tree whose root is an object.
type body struct {
	root     *node
	warnings []lead.Warning
}

func (b *body) warn(field, message string) {
	b.warnings = append(b.warnings, lead.Warning{Field: field, Message: message})
}

// read reads the fields of a body, in their order. JSON is read whatever it is called: browsers send it as text/plain
// (sendBeacon, no-cors), and command lines as a form. Errors: UNSUPPORTED_MEDIA_TYPE, VALIDATION_ERROR.
func read(contentType string, raw []byte) (*body, error) {
	var err error
	media, params := mediaType(contentType)
	b := &body{root: &node{kind: objectKind}}
	d := newDecoder(params["charset"])
	if boundary := boundaryOf(raw); boundary != "" {
		media, params["boundary"] = multipartType, boundary
	}
	if media == urlencodedType && bytes.HasPrefix(bytes.ToUpper(raw[:min(3, len(raw))]), []byte("%7B")) { // JSON as a name
		raw = []byte(unescape(strings.TrimSuffix(string(raw), "=")))
	}
	switch {
	case media == jsonType || media == "text/json" || strings.HasSuffix(media, "+json"):
		err = b.readJSON(d.body(raw))
	case media == multipartType && !looksLikeJSON(raw):
		err = b.readMultipart(raw, params["boundary"], d)
	case looksLikeJSON(raw):
		if err = b.readJSON(d.body(raw)); err != nil && media == urlencodedType {
			err = b.readURLEncoded(string(raw), d)
		}
	case media == urlencodedType:
		err = b.readURLEncoded(string(raw), d)
	case (media == textType || contentType == "") && bytes.IndexByte(firstLine(raw), '=') > 0:
		err = b.readPlain(strings.TrimLeft(string(raw), "\r\n"), d)
	default:
		return nil, fault.New(fault.MediaType, "Content-Type must be "+urlencodedType+", "+multipartType+" or "+jsonType+
			"; "+textType+" is taken where the body is a JSON object, or lines of name=value")
	}
	if err != nil {
		return nil, err
	}
	if d.guessed {
		b.warn("body", "Was read as windows-1252, because it is not UTF-8: put accept-charset=\"utf-8\" on the form")
	}
	b.root.unfold()
	return b, nil
}

func looksLikeJSON(raw []byte) bool {
	raw = bytes.TrimLeft(bytes.TrimPrefix(raw, mark), " \t\r\n")
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}

// brokenBody is the error of a body that did not arrive whole: to send it again can help.
func brokenBody(message string) error { return fault.InvalidField("body", nil, message) }

// unreadable is the error of what can be sent as often as one likes: whoever made the form has to mend it.
func unreadable(field, message string) error {
	wrong := fault.InvalidField(field, nil, message)
	wrong.Cause = errMisconfigured
	return wrong
}

// pair is a field of a form that is no JSON, not decoded.
type pair struct{ name, text string }

// putAll makes the tree of a form's fields. Their encoding is that of the request or, where it says none, that of the
// page, which browsers tell in a field.
func (b *body) putAll(pairs []pair, d *decoder) {
	if len(pairs) > maxFields {
		b.warn("body", fmt.Sprintf("Has more than %d fields: the others are left out", maxFields))
		pairs, b.root.cut = pairs[:maxFields], true
	}
	if d.named == nil {
		for _, p := range pairs {
			if p.name == charsetField && p.text != "" {
				*d = *newDecoder(p.text)
				break
			}
		}
	}
	d.forFields()
	for _, p := range pairs {
		b.root.put(d.text(p.name), d.text(p.text))
	}
}

func (b *body) readURLEncoded(raw string, d *decoder) error {
	var pairs []pair
	for field := range strings.SplitSeq(strings.TrimRight(raw, "\r\n"), "&") {
		if field == "" {
			continue
		}
		name, text, _ := strings.Cut(strings.TrimPrefix(field, "amp;"), "=")
		if _, _, ok := lead.ParseEmail(text); !ok || strings.Contains(text, "%") { // else it is not encoded, and a + is a +
			text = unescape(text)
		}
		pairs = append(pairs, pair{unescape(name), text})
		if len(pairs) > maxFields {
			break
		}
	}
	b.putAll(pairs, d)
	return nil
}

// readPlain reads what a form sends with enctype="text/plain": a line for each field, and more where a text has line
// breaks. Scripts call what is one line of encoded fields so too.
func (b *body) readPlain(raw string, d *decoder) error {
	raw = strings.TrimRight(strings.ReplaceAll(raw, "\r\n", "\n"), "\n")
	if !strings.Contains(raw, "\n") {
		return b.readURLEncoded(raw, d)
	}
	var pairs []pair
	text, end := 0, 0 // where the text of the last field begins, and where it ends
	for line := range strings.SplitAfterSeq(raw, "\n") {
		if at := strings.IndexByte(line, '='); at > 0 && len(pairs) <= maxFields {
			text = end + at + 1
			pairs = append(pairs, pair{name: line[:at]})
		}
		end += len(line)
		pairs[len(pairs)-1].text = strings.TrimSuffix(raw[text:end], "\n")
	}
	b.putAll(pairs, d)
	return nil
}

// firstLine returns the first line that is not empty.
func firstLine(raw []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(raw, "\r\n"), []byte("\n"))
	return line
}

// fieldsOf reads a text that is encoded fields, with an email among them; nil: it is none.
func fieldsOf(text string) *node {
	if !strings.Contains(text, "&") || strings.ContainsAny(text, " \r\n/?") || !strings.Contains(text, "%40") {
		return nil
	}
	var b body
	b.root = &node{kind: objectKind}
	if err := b.readURLEncoded(text, &decoder{}); err != nil || !b.root.reaches(nil) {
		return nil
	}
	return b.root
}

// unescape decodes a name or text; a % that no two hexadecimal digits follow stays as it is.
func unescape(raw string) string {
	text, err := url.QueryUnescape(raw)
	if err == nil {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '+':
			b.WriteByte(' ')
		case raw[i] == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			one, _ := url.QueryUnescape(raw[i : i+3])
			b.WriteString(one)
			i += 2
		default:
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// readJSON reads a JSON object, or a list of one, or of answers; some tools send that as a text of JSON.
func (b *body) readJSON(raw []byte) error {
	root, err := readJSON(raw)
	if err != nil && looksLikeJSON(raw) {
		mended, notes := mendJSON(raw)
		if found, e := readJSON(mended); e == nil {
			root, err = found, nil
			b.warn("body", "Is no JSON as it stands: "+strings.Join(notes, "; "))
		} else if errors.Is(e, io.ErrUnexpectedEOF) && !endsLikeJSON(raw) {
			err = e
		}
	}
	if err == nil && root.kind == textKind && looksLikeJSON([]byte(root.text)) {
		root, err = readJSON([]byte(root.text))
	}
	if err == nil && !root.holds() {
		err = errNoObject
	}
	if err != nil {
		return jsonError(err)
	}
	if root.cut {
		b.warn("body", fmt.Sprintf("Has more than %d fields: the others are left out", maxNodes))
	}
	if first := root.person(); first != nil {
		if first.another() {
			return severalError("body")
		}
		first.cut = first.cut || root.cut || len(root.all) > 1
		if len(root.all) > 1 {
			b.warn("body", fmt.Sprintf("Is a list of %d: only the first can be a lead", len(root.all)))
		}
		root = first
	}
	root.name, root.parent, root.raw = "", nil, nil
	b.root = root
	return nil
}

var (
	errTrailing = errors.New("something follows")
	errNoObject = errors.New("no object")
)

// endsLikeJSON reports whether a body ends as an object or a list does.
func endsLikeJSON(raw []byte) bool {
	raw = bytes.TrimRight(raw, " \t\r\n")
	return len(raw) > 0 && (raw[len(raw)-1] == '}' || raw[len(raw)-1] == ']')
}

// jsonError says why a body is no JSON object, and where.
func jsonError(err error) error {
	where := ""
	var wrong *jsontext.SyntacticError
	if errors.As(err, &wrong) {
		where = fmt.Sprintf(": after %d bytes, %s", wrong.ByteOffset, fault.Truncate(wrong.Err.Error()))
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return brokenBody("Must be one complete JSON object: it broke off" + strings.TrimSuffix(where, ", unexpected EOF"))
	case errors.Is(err, errTrailing):
		return unreadable("body", "Must be one JSON object and nothing after it")
	}
	return unreadable("body", "Must be a JSON object"+where)
}

// person returns the first item of a list, where that is one thing and no answer among others.
func (n *node) person() *node {
	if n.kind != listKind || len(n.all) == 0 || n.all[0].kind != objectKind || answerOf(n.all[0]) != nil {
		return nil
	}
	return n.all[0]
}
