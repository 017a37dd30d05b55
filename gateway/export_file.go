package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/config"
)

// exportFile is what a command writes rows to, and how.
type exportFile struct {
	Format    string `name:"format" enum:"csv,ndjson" default:"csv" help:"csv or ndjson."`
	BOM       bool   `name:"bom" help:"Begin a CSV file with a byte order mark, by which Excel knows UTF-8."`
	Plain     bool   `name:"plain" help:"Write cells of a CSV file as they are, for programs: a spreadsheet may run them."`
	Delimiter string `name:"delimiter" help:"Between cells of a CSV file: , ; | or a tab."`
	Out       string `name:"out" default:"-" placeholder:"FILE" help:"Where they go, - for standard output. A file is there only when it is whole."`
	Force     bool   `name:"force" help:"Overwrite a file that is there."`
}

// Check says whether the file must not be written.
func (f *exportFile) Check() []error {
	if _, err := os.Lstat(f.Out); err == nil && f.Out != "-" && !f.Force {
		return []error{config.Invalid("out", "%s exists; name another file, or overwrite it with --force", f.Out)}
	}
	return nil
}

func (f *exportFile) options() client.ExportOptions {
	return client.ExportOptions{Format: f.Format, BOM: f.BOM, Plain: f.Plain, Delimiter: f.Delimiter}
}

// write writes rows, which it closes, and says how far it is; noun is what they are: "leads".
func (f *exportFile) write(rows io.ReadCloser, noun string, stdout, says io.Writer) error {
	defer rows.Close()
	out, keep, err := f.open(stdout)
	if err != nil {
		return err
	}
	show := newProgress(says)
	in := &rowCount{from: rows, noun: noun, show: show}
	if f.Format == "csv" {
		in.quoted, in.lines = true, -1 // the head is no row
	}
	_, err = io.Copy(out, in)
	n := in.rows()
	show.end()
	if err != nil {
		err = fmt.Errorf("the export broke off after %d %s: %w", n, noun, err)
	}
	if err := keep(err); err != nil {
		return err
	}
	fmt.Fprintf(says, "Exported %d %s, %.1f MB\n", n, noun, float64(in.bytes)/1e6)
	return nil
}

// open opens what rows are written to. keep ends it: a file gets its name when nothing went wrong, and is gone when
// something did.
func (f *exportFile) open(stdout io.Writer) (out io.Writer, keep func(error) error, err error) {
	if f.Out == "-" {
		return stdout, func(err error) error { return err }, nil
	}
	part := f.Out + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it holds personal data
	if err != nil {
		return nil, nil, err
	}
	return file, func(err error) error {
		if err = errors.Join(err, file.Close()); err == nil {
			err = os.Rename(part, f.Out)
		}
		if err != nil {
			os.Remove(part)
		}
		return err
	}, nil
}

// rowCount counts what passes and shows it now and then.
type rowCount struct {
	from   io.Reader
	noun   string
	quoted bool // line ends between quotes end no row
	show   *progress

	inside bool
	lines  int
	bytes  int64
	shown  time.Time
}

func (c *rowCount) rows() int { return max(0, c.lines) }

func (c *rowCount) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.bytes += int64(n)
	for _, char := range b[:n] {
		switch {
		case char == '"' && c.quoted:
			c.inside = !c.inside
		case char == '\n' && !c.inside:
			c.lines++
		}
	}
	if now := time.Now(); now.Sub(c.shown) >= c.show.every {
		c.shown = now
		c.show.show("Exporting", -1, fmt.Sprintf("%d %s, %.1f MB", c.rows(), c.noun, float64(c.bytes)/1e6))
	}
	return n, err
}
