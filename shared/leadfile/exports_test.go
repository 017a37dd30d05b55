package leadfile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/leadfile/decode"
)

// Files that other products write, and lists that people paste: whose address it is, and where it stands.
func TestExportsOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"bookings, with the host's address before the guest's", "Organizer Name,Organizer Email,Invitee Name,Invitee Email,Guest Email(s)\n" +
			"Bob,bob@example.com,Ann Lee,ann@example.com,\nBob,bob@example.com,Cat,cat@example.com,x@example.com\n", []string{
			`1 Ann Lee <ann@example.com>  api/new {"Organizer Name":"Bob","Organizer Email":"bob@example.com"}`,
			`2 Cat <cat@example.com>  api/new {"Organizer Name":"Bob","Organizer Email":"bob@example.com","Guest Email(s)":"x@example.com"}`}},
		{"the seller's address before the customer's, by names nobody knows", "Verkäufer E-Kontakt,Kunde,Kunde E-Kontakt\n" +
			"bob@example.com,Ann,ann@example.com\nbob@example.com,Cat,cat@example.com\n", []string{
			`1  <ann@example.com>  api/new {"Verkäufer E-Kontakt":"bob@example.com","Kunde":"Ann"}`,
			`2  <cat@example.com>  api/new {"Verkäufer E-Kontakt":"bob@example.com","Kunde":"Cat"}`}},
		{"a survey that asks for the address again", "Respondent,Email Address,First Name,Who are you?,\n,,,Name,Email Address\n" +
			"1,,,Ann Lee,ann@example.com\n2,,,Cat,cat@example.com\n", []string{
			`1! Column 5="Email Address" Must be a valid email address`,
			`2  <ann@example.com>  api/new {"Respondent":"1","Who are you?":"Ann Lee"}`,
			`3  <cat@example.com>  api/new {"Respondent":"2","Who are you?":"Cat"}`}},
		{"a column that says whether one may write", "Email,Contact\nYes,ann@example.com\nNo,bob@example.com\n", []string{
			`1  <ann@example.com>  api/new {"Email":"Yes"} ?Email`, `2  <bob@example.com>  api/new {"Email":"No"} ?Email`}},
		{"no emails, and their owner's address", "Email,Name,Owner\n,Ann,bob@example.com\n,Cat,bob@example.com\n", []string{
			`1! email="" Must be given: a lead is known by its email`, `2! email="" Must be given: a lead is known by its email`}},
		{"a title with an address", "Owner:,bob@example.com\n\nName,Email,Phone\nAnn,ann@example.com,5550100\nCat,cat@example.com,5550101\n",
			[]string{`1 Ann <ann@example.com> 5550100 api/new {}`, `2 Cat <cat@example.com> 5550101 api/new {}`}},
		{"rows before a header that stands between them", "Ann,ann@example.com\nName,Email\nBob,bob@example.com\n", []string{
			`1  <ann@example.com>  api/new {"Column 1":"Ann"}`, `2! Column 2="Email" Must be a valid email address`,
			`3  <bob@example.com>  api/new {"Column 1":"Bob"}`}},
		{"what is copied from a mail program", "Ann Lee <ann@example.com>; bob@example.com;\r\n\"Ray, Cat\" <cat@example.com>", []string{
			`1 Ann Lee <ann@example.com>  api/new {}`, `2  <bob@example.com>  api/new {}`,
			`3 Ray, Cat <cat@example.com>  api/new {} ?row`}},
		{"two addresses of each", "ann@example.com,ann@home.example.com\nbob@example.com,bob@home.example.com\n", []string{
			`1  <ann@example.com>  api/new {"Column 2":"ann@home.example.com"}`,
			`2  <bob@example.com>  api/new {"Column 2":"bob@home.example.com"}`}},
		{"what programs write for nothing, and a person called so", "Email,First Name,Last Name,Phone\n" +
			"ann@example.com,Ann,NaN,NULL\nbob@example.com,None,Null,#VALUE!\ncat@example.com,N/A,-,=+15550100\n", []string{
			`1 Ann <ann@example.com>  api/new {"Last Name":"NaN","Phone":"NULL"}`,
			`2 Null <bob@example.com>  api/new {"First Name":"None","Phone":"#VALUE!"}`,
			`3  <cat@example.com> +15550100 api/new {"First Name":"N/A","Last Name":"-"}`}},
		{"quotes around each line", "\"Email,Name,Notes\"\n\"ann@example.com,Ann,\"\n\"bob@example.com,\"\"Bob, Jr\"\",x\"\ncat@example.com,Cat,\n",
			[]string{plainAnn, `2 Bob, Jr <bob@example.com>  api/new {"Notes":"x"}`, `3 Cat <cat@example.com>  api/new {}`}},
		{"tildes", "Email~Name\nann@example.com~Ann\n", []string{plainAnn}},
		{"single quotes", "'Email';'Name'\n'ann@example.com';'Ann; Lee'\n'bob@example.com';'O''Neil'\n", []string{
			`1 Ann; Lee <ann@example.com>  api/new {}`, `2 O'Neil <bob@example.com>  api/new {}`}},
		{"typographic quotes, and phones that were numbers", "“Email”,“Phone”\n“ann@example.com”,5550100.0\n",
			[]string{`1  <ann@example.com> 5550100 api/new {}`}},
		{"a first name in Turkish", "AD;SOYAD;E-posta\nAyşe;Kaya;ann@example.com\n", []string{`1 Ayşe Kaya <ann@example.com>  api/new {}`}},
		{"an advert", "Email;Name;Ad\nann@example.com;Ann;spring\n", []string{`1 Ann <ann@example.com>  api/new {"Ad":"spring"}`}},
		{"lines of a list as JSON", `{"email":"ann@example.com","name":"Ann"},` + "\n" + `{"email":"bob@example.com"}`, []string{
			plainAnn, `2  <bob@example.com>  api/new {}`}},
		{"records in a wrapper, and one whose owner alone has an email",
			`{"id":"7","properties":{"email":"ann@example.com","firstname":"Ann","phone":"5550100"}}` + "\n" +
				`{"name":"Cat","owner":{"email":"bob@example.com"}}` + "\n", []string{
				`1 Ann <ann@example.com> 5550100 api/new {"id":"7"}`, `2! email="" Must be given: a lead is known by its email`}},
		{"addresses in links and after names", "Email;Name\n=HYPERLINK(\"mailto:ann@example.com\",\"ann@example.com\");Ann\n" +
			"[bob@example.com](mailto:bob@example.com);\nCat Ray (cat@example.com);\nDan (dan@example.com) <dan2@example.com>;\n" +
			"dan smith@example.com;\n", []string{
			`1 Ann <ann@example.com>  api/new {"Email":"=HYPERLINK(\"mailto:ann@example.com\",\"ann@example.com\")"} ?Email`,
			`2  <bob@example.com>  api/new {"Email":"[bob@example.com](mailto:bob@example.com)"} ?Email`,
			`3  <cat@example.com>  api/new {"Email":"Cat Ray (cat@example.com)"} ?Email`,
			`4! Email="Dan (dan@example.com) <dan2@example.com>" Must be a valid email address`,
			`5! Email="dan smith@example.com" Must be a valid email address`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, got := taken(t, c.file, decode.Options{}, leadfile.Said{})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An export that its owner worked on is one still.
func TestExportWithoutColumns(t *testing.T) {
	t.Parallel()
	lead := id.Lead.Format(id.New())
	imp, _ := taken(t, "email;id;status;createdAt\nann@example.com;;new;\nbob@example.com;"+lead+";new;01.02.2026\n", decode.Options{}, leadfile.Said{})
	want := []leadfile.Column{{Name: "email", To: "email"}, {Name: "id", To: "id"}, {Name: "status", To: "status"}, {Name: "createdAt"}}
	if diff := cmp.Diff(want, imp.Options.Columns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if imp, _ = taken(t, "id,email\n17,ann@example.com\n", decode.Options{}, leadfile.Said{}); imp.Options.Exported {
		t.Error("another product's ids are read as ours")
	}
}
