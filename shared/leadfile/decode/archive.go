package decode

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"leadgate/shared/fault"
)

// archive opens a ZIP archive: rows is the text of a workbook, inner the one file of another archive.
func (d *decoder) archive(r io.Reader) (inner, rows io.Reader, err error) {
	b, err := d.held(r)
	if err != nil {
		return nil, nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, nil, err
	}
	if len(z.File) > maxEntries {
		return nil, nil, refuse("it is an archive of too many files")
	}
	for _, f := range z.File {
		f.Name = strings.ReplaceAll(f.Name, `\`, "/") // of libraries that keep to Windows' way
	}
	var files []*zip.File
	for _, f := range z.File {
		switch {
		case f.Name == "xl/workbook.xml":
			d.packed("xlsx")
			rows, err = d.workbook(z)
			return nil, rows, err
		case f.Name == "xl/workbook.bin":
			return nil, nil, refuse("this is a binary workbook (.xlsb): save it as .xlsx")
		case f.Name == "content.xml":
			return nil, nil, refuse("this is an OpenDocument spreadsheet: save it as .xlsx or as \"CSV UTF-8\"")
		case strings.HasSuffix(f.Name, "/"), strings.HasPrefix(f.Name, "__MACOSX/"), path.Base(f.Name)[0] == '.':
		default:
			files = append(files, f)
		}
	}
	if len(files) != 1 {
		return nil, nil, refuse("it is an archive of several files, or of none: send one file")
	}
	d.packed("zip")
	inner, err = d.entry(files[0])
	return inner, nil, err
}

// entry opens a file of an archive, whose reader holds it to the size that it says.
func (d *decoder) entry(f *zip.File) (io.Reader, error) {
	if f.Flags&1 != 0 {
		return nil, refuse("it has a password")
	}
	if f.UncompressedSize64 > freeRatio && f.UncompressedSize64 > maxRatio*f.CompressedSize64 {
		return nil, tooDense()
	}
	if f.UncompressedSize64 > maxEntry {
		return nil, fault.New(fault.TooLarge, fmt.Sprintf(
			"A file in a workbook or ZIP archive can have %d MiB: send larger ones as CSV, which gzip may compress", maxEntry>>20))
	}
	return f.Open()
}
