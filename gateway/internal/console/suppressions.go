package console

import (
	"net/http"
	"net/url"
	"strings"

	"leadgate/shared/tenant"
)

const suppressionsPath = Root + "/suppressions"

func suppressionRoutes() []route {
	const scope = tenant.LeadsWrite
	return []route{
		{"GET", suppressionsPath, scope, suppressions, nil, nil},
		{"POST", suppressionsPath, scope, suppress, []string{"POST /api/v1/suppressions"}, suppressions},
		{"POST", suppressionsPath + "/end", scope, unsuppress, []string{"DELETE /api/v1/suppressions"}, suppressions},
	}
}

// suppressions asks for an address that may not become a lead, or may again. There is no list: only a hash of each
// address is kept.
func suppressions(v *visit) error { return v.show("suppressions.html", "Blocked addresses", nil) }

// addressField is what the API calls an address that was entered, and the address.
func (v *visit) addressField() (field, address string) {
	address = strings.TrimSpace(v.r.PostForm.Get("address"))
	if address != "" && !strings.Contains(address, "@") {
		return "phone", address
	}
	return "email", address
}

func suppress(v *visit) error {
	field, address := v.addressField()
	if err := v.send(http.MethodPost, "/api/v1/suppressions", map[string]any{field: address}, nil); err != nil {
		return err
	}
	return v.done(suppressionsPath, "The address is blocked: nothing that comes of it becomes a lead.")
}

func unsuppress(v *visit) error {
	field, address := v.addressField()
	err := v.send(http.MethodDelete, withQuery("/api/v1/suppressions", url.Values{field: {address}}), nil, nil)
	if err != nil {
		return err
	}
	return v.done(suppressionsPath, "The address may become a lead again.")
}
