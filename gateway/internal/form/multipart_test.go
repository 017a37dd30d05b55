package form_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"leadgate/gateway/internal/form"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// Scripts that set Content-Type themselves leave the boundary out, or have one of their own.
func TestBoundaryIsThatOfTheBody(t *testing.T) {
	t.Parallel()
	contentType, body := parts("email", "kim@example.com", "name", "Kim Lee")
	plain := "--x\nContent-Type: text/plain\nContent-Disposition: form-data; name=email\n\nkim@example.com\n" +
		"--x\nContent-Disposition: form-data; name=name\n\nKim Lee\n--x--\n"
	for _, said := range []string{"multipart/form-data", "multipart/form-data; boundary=other", "multipart/form-data; boundary=",
		"multipart/form-data; boundary=----a b", "multipart/form-data;", "", "text/plain;charset=UTF-8", urlencoded, jsonBody,
		"application/octet-stream", contentType} {
		for _, sent := range []string{string(body), plain, "\r\n" + string(body)} {
			s, err := form.Read(said, []byte(sent), tenant.Form{}.WithDefaults())
			if err != nil {
				t.Errorf("Content-Type %q: %v", said, err)
				continue
			}
			d, err := s.Lead(tenant.Form{}.WithDefaults(), tenant.Settings{}.WithDefaults().Rules(), "", false)
			if err != nil || d.Email != "kim@example.com" || d.Name != "Kim Lee" {
				t.Errorf("Content-Type %q: %q, %q, %v", said, d.Email, d.Name, err)
			}
		}
	}
}

// Only what broke off is worth sending again; of what is wrong each time the page's owner has to know.
func TestOnlyWhatBrokeOffIsSentAgain(t *testing.T) {
	t.Parallel()
	const head = "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nkim@example.com"
	for _, tc := range []struct {
		contentType, body, field, message string
		again                             bool
	}{
		{"multipart/form-data; boundary=x", head, "body", "broke off", true},
		{"multipart/form-data", head, "body", "broke off", true},
		{"multipart/form-data; boundary=x", "", "body", "broke off", true},
		{"multipart/form-data", "", "Content-Type", "Must have the boundary", false},
		{"multipart/form-data", "email=kim@example.com", "Content-Type", "Must have the boundary", false},
		{"multipart/form-data; boundary=x", "email=kim@example.com", "Content-Type", "Must have the boundary", false},
	} {
		wantRefused(t, tc.contentType, tc.body, tc.field, tc.message, tc.again)
	}
}

// wantRefused fails the test unless a body is refused with a message about a field, and its visitor is asked to send it
// again, or told that the form is not set up.
func wantRefused(t *testing.T, contentType, body, field, message string, again bool) {
	t.Helper()
	_, err := form.Read(contentType, []byte(body), tenant.Form{}.WithDefaults())
	if !fault.Is(err, fault.Validation) {
		t.Errorf("%s %q = %v, want VALIDATION_ERROR", contentType, body, err)
		return
	}
	if told := fault.From(err).Fields()[0]; told.Field != field || !strings.Contains(told.Message, message) {
		t.Errorf("%s %q: %s: %s, want %s: %s", contentType, body, told.Field, told.Message, field, message)
	}
	w := httptest.NewRecorder()
	form.WriteFailure(w, tenant.Form{Lang: "en"}.WithDefaults(), fault.From(err), "")
	if page := w.Body.String(); strings.Contains(page, "send it again") != again ||
		strings.Contains(page, "not set up correctly") == again {
		t.Errorf("%s %q: the visitor reads %s, want to be asked to send it again: %v", contentType, body, page, again)
	}
}
