package decode_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"

	"leadgate/shared/fault"
	"leadgate/shared/leadfile/decode"
)

// Names of people must not become those of others: charsets that have their letters in the same places.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		of         encoding.Encoding
		charset    string
	}{
		{"Polish", "Imię;Miasto\r\nŁucja Wałęsa;Łódź\r\nMichał Żak;Świdnica\r\n", charmap.Windows1250, "windows-1250"},
		{"Polish, one row", "Imię\r\nMichał Wójcik\r\n", charmap.Windows1250, "windows-1250"},
		{"Czech", "Jméno;Město\r\nJiří Dvořák;Příbram\r\nŽaneta Nováková;Plzeň\r\n", charmap.Windows1250, "windows-1250"},
		{"Slovak", "Ľubomír Šťastný;Košice\r\nMária Kováčová;Žilina\r\n", charmap.Windows1250, "windows-1250"},
		{"Croatian", "Željko Šimić;Čakovec\r\nĐuro Babić;Požega\r\n", charmap.Windows1250, "windows-1250"},
		{"Hungarian", "Kőszegi Ödön;Győr\r\nSzűcs Jenő;Pécs\r\n", charmap.Windows1250, "windows-1250"},
		{"Turkish", "Ad;Şehir\r\nÇağrı Öztürk;İstanbul\r\nAyşe Yılmaz;Muğla\r\n", charmap.Windows1254, "windows-1254"},
		{"Hebrew", "שם,עיר\r\nדוד כהן,חיפה\r\nשרה לוי,אילת\r\n", charmap.Windows1255, "windows-1255"},
		{"Russian", "Иван Петров\r\nОльга Ким\r\n", charmap.Windows1251, "windows-1251"},
		{"Japanese of Unix", "氏名,メールアドレス\n山田 太郎,東京都\n", japanese.EUCJP, "euc-jp"},
		{"Japanese of mail", "氏名,メールアドレス\n山田 太郎,東京都\n", japanese.ISO2022JP, "iso-2022-jp"},
		{"Spanish", "¿Qué?;Año\r\nMuñoz, José;nº 3, 2ª\r\nÍñigo Peña;¡Sí! ¿Y tú?\r\n", charmap.Windows1252, "windows-1252"},
		{"Portuguese", "João Conceição;São Paulo\r\nLuís Simões;às 5 m³\r\n", charmap.Windows1252, "windows-1252"},
		{"Italian", "Niccolò Però;città\r\nMaria;è più\r\n", charmap.Windows1252, "windows-1252"},
		{"French", "Cœur;Zoë Lefèvre;où\r\nBjørn;hôtel\r\nNoël;août\r\n", charmap.Windows1252, "windows-1252"},
		{"Danish", "Søren Ærø;Århus\r\nBjørn Sørensen;Malmö\r\n", charmap.Windows1252, "windows-1252"},
		{"Icelandic", "Þórður Guðmundsson;Ísafjörður\r\nJón Sæmundsson;Kópavogur\r\n", charmap.Windows1252, "windows-1252"},
		{"Estonian", "Jõgi Märt;Võru\r\nTõnu Kägu;Põlva ö\r\n", charmap.Windows1252, "windows-1252"},
		{"German, with a name from elsewhere", "Jörg Müßig;Köln\r\nÄnne Größe;München\r\nUwe Škoda;Nürnberg\r\nBärbel Böhm;Lübeck\r\n" +
			"René Höß;Fürth\r\n", charmap.Windows1252, "windows-1252"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, f, err := read(in(c.of, c.text), decode.Options{})
			if err != nil || text != c.text || f.Charset != c.charset {
				t.Errorf("%q as %s, %v, want %q as %s", text, f.Charset, err, c.text, c.charset)
			}
		})
	}
}

// What people take for a list says what it is.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	locked := []byte(zipped("a.csv", "a"))
	locked[6] |= 1
	locked[strings.Index(string(locked), "PK\x01\x02")+8] |= 1
	for name, c := range map[string]struct{ file, want string }{
		"a table as .xls":           {"\ufeff\n<html><table><tr><td>Email</td></tr></table></html>", "web page"},
		"a workbook as XML":         {"<?xml version=\"1.0\"?>\n<Workbook/>", "XML"},
		"contact cards":             {"BEGIN:VCARD\r\nVERSION:3.0\r\n", "vCard"},
		"another compression":       {"7z\xBC\xAF\x27\x1C\x00\x04", "gzip or ZIP"},
		"an archive with password":  {string(locked), "password"},
		"a workbook that is binary": {zipped("xl/workbook.bin", "x", "xl/styles.bin", "x"), ".xlsb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(c.file, decode.Options{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Validation || !strings.Contains(f.Fields()[0].Message, c.want) {
				t.Errorf("= %v, want a VALIDATION_ERROR that says %q", err, c.want)
			}
		})
	}
	all := parts(sheet)
	for i := 0; i < len(all); i += 2 {
		all[i] = strings.ReplaceAll(all[i], "/", `\`)
	}
	if _, f, err := read(zipped(all...), decode.Options{}); err != nil || f.Sheet != "People" {
		t.Errorf("a workbook whose parts have backslashes = %+v, %v", f, err)
	}
}
