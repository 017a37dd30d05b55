package leadfile_test

import (
	"io"
	"strings"
	"testing"

	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
)

// Rows with a phone and no email are leads where the workspace takes them, and a file needs no column of emails there.
func TestRowsByPhone(t *testing.T) {
	t.Parallel()
	byPhone := lead.Rules{Statuses: []string{"new"}, Phones: true, Region: "SE"}
	for _, tc := range []struct {
		name, file string
		format     leadfile.Format
		want       []string // of each row its key, or ! and the field that is wrong
	}{
		{"no email column", "full_name,phone_number,platform\nAxel,p:+46701234567,fb\nBo,070 999 88 77,fb\nCo,112,fb\n",
			leadfile.CSV, []string{"+46701234567", "+46709998877", "!email"}},
		{"either", "email,phone\nann@example.com,+46701234567\n,+46701234567\nnone,070-123 45 67\n,\n-,-\n",
			leadfile.CSV, []string{"ann@example.com", "+46701234567", "+46701234567", "!email"}},
		{"lines", `{"phone":"+46701234567"}` + "\n" + `{"email":null,"phone":"070 999 88 77"}` + "\n" + `{"phone":"x"}` + "\n",
			leadfile.NDJSON, []string{"+46701234567", "+46709998877", "!email"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			imp := &leadfile.Import{Format: tc.format}
			if tc.format == leadfile.CSV {
				if _, _, err := leadfile.ReadHeader([]byte(tc.file), leadfile.Said{}); tc.name == "no email column" && err == nil {
					t.Error("ReadHeader() took a file without emails where they are needed")
				}
				o, start, err := leadfile.ReadHeader([]byte(tc.file), leadfile.Said{Phones: true})
				if err != nil {
					t.Fatal(err)
				}
				imp.Options, imp.Position = o, start
			}
			r, err := leadfile.NewReader(strings.NewReader(tc.file[imp.Position:]), imp, byPhone)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				row, err := r.Read()
				if err == io.EOF {
					break
				}
				switch {
				case err != nil:
					t.Fatal(err)
				case row.Wrong != nil:
					got = append(got, "!"+row.Wrong.Field)
				default:
					got = append(got, row.Draft.AddressKey)
				}
			}
			if strings.Join(got, " ") != strings.Join(tc.want, " ") {
				t.Errorf("rows = %q, want %q", got, tc.want)
			}
		})
	}
}
