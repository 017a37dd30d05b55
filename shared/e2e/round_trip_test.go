package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/client"
	"leadgate/shared/testwait"
)

// oddLead is a lead of texts that files could take for something else.
func oddLead(r *rand.Rand, n int) client.NewLead {
	parts := []string{"=1+1", "+1 555 0100", "-", "@sum", "'", "''=", `"`, `\"`, `\`, ",", ";", "|", "x", "Ann", "é", "山田", "＝1",
		";=2", ",+3", "1.50", "007", "mailto:", "<b>", "null", "{}", "a;'=1", "=\"1\""}
	text := func(most int) string {
		var b strings.Builder
		for range 1 + r.IntN(most) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		return b.String()
	}
	meta, _ := json.Marshal(map[string]any{text(2): text(3), "n": 1.5, "lines": "a\r\n=b\n;\t+c", "list": []any{text(2), nil}})
	return client.NewLead{Email: fmt.Sprintf("p%d@example.com", n), Name: "n" + text(4), Phone: "+1 555 01" + fmt.Sprint(n),
		Source: text(2), Status: "qualified", Metadata: meta}
}

// mustBring imports a file and waits for its end.
func mustBring(t *testing.T, api *client.Client, file string, o client.ImportOptions) client.Import {
	t.Helper()
	i, err := api.UploadImport(t.Context(), strings.NewReader(file), int64(len(file)), o)
	if err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the import is over", func() bool {
		if i, err = api.GetImport(t.Context(), i.ID); err != nil {
			t.Fatal(err)
		}
		return i.FinishedAt != nil
	})
	return i
}

func mustExport(t *testing.T, api *client.Client, o client.ExportOptions) string {
	t.Helper()
	file, err := api.ExportLeads(t.Context(), o, client.LeadFilter{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ownFields are an export's leads without what another workspace gives them itself.
func ownFields(t *testing.T, o client.ExportOptions, text string) (leads []string) {
	t.Helper()
	if o.Format == "ndjson" {
		for line := range strings.Lines(text) {
			var l map[string]any
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			for _, own := range []string{"id", "workspaceId", "chatbotId", "createdAt", "updatedAt", "enrichment"} {
				delete(l, own)
			}
			again, _ := json.Marshal(l)
			leads = append(leads, string(again))
		}
		return leads
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix([]byte(text), []byte("\uFEFF"))))
	if o.Delimiter != "" {
		r.Comma = rune(o.Delimiter[0])
	}
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		leads = append(leads, strings.Join(append(row[1:6], row[9]), "\x00"))
	}
	return leads
}

// An export comes back: in another workspace it makes the same leads, and in its own it changes none.
func TestExportComesBack(t *testing.T) {
	t.Parallel()
	home := mustTenant(t)
	from := home.api(t)
	r := rand.New(rand.NewPCG(1, 2))
	const n = 60
	leads := make([]client.NewLead, n)
	for i := range leads {
		if leads[i] = oddLead(r, i); i%7 == 0 {
			leads[i].ChatbotID = home.chatbot
		}
	}
	if made, err := from.CreateLeads(t.Context(), leads, client.CreateOptions{}); err != nil || made.Created != n {
		t.Fatalf("CreateLeads() = %+v, %v", made, err)
	}
	for name, o := range map[string]client.ExportOptions{
		"csv": {Format: "csv"}, "csv for Excel": {Format: "csv", BOM: true, Delimiter: ";"},
		"csv of tabs": {Format: "csv", Delimiter: "\t"}, "ndjson": {Format: "ndjson"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := mustTenant(t).api(t)
			file := mustExport(t, from, o)
			if i := mustBring(t, to, file, client.ImportOptions{NoEvents: true}); i.Created != n || i.Rejected != 0 {
				t.Fatalf("import of the export = %+v, want %d leads", i, n)
			}
			if diff := cmp.Diff(ownFields(t, o, file), ownFields(t, o, mustExport(t, to, o))); diff != "" {
				t.Errorf("exported again (-want +got):\n%s", diff)
			}
			if i := mustBring(t, from, file, client.ImportOptions{NoEvents: true, OnDuplicate: "update"}); i.Updated != n {
				t.Fatalf("import into its own workspace = %+v, want %d updated", i, n)
			}
			if o.Format == "csv" { // enrichment may have come meanwhile
				if diff := cmp.Diff(file, mustExport(t, from, o)); diff != "" {
					t.Errorf("after the import into its own workspace (-want +got):\n%s", diff)
				}
			}
		})
	}
}
