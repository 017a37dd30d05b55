package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/config"
	"leadgate/shared/leadfile"
)

type leadCommand struct {
	Import leadImport `cmd:"" help:"Import a file (CSV, NDJSON, .xlsx), and wait until it is done."`
	Export leadExport `cmd:"" help:"Write leads to a CSV or NDJSON file."`
}

// leadImport sends a file to POST /api/v1/imports and follows it.
type leadImport struct {
	access      `set:"scopes=leads:write and leads:read"`
	File        string `arg:"" help:"A file of leads: CSV, NDJSON or .xlsx, compressed or not; - for standard input."`
	Format      string `name:"format" enum:",csv,ndjson" default:"" help:"csv or ndjson; by its content unless given."`
	Charset     string `name:"charset" help:"Of the text, such as windows-1250; found out unless given."`
	Sheet       string `name:"sheet" help:"Of a workbook; the first unless given."`
	Delimiter   string `name:"delimiter" help:"Between cells: one character; found out unless given."`
	Quote       string `name:"quote" help:"Around cells: one character, or none; the double quote unless given."`
	Header      string `name:"header" placeholder:"ROW" help:"Which row names the columns, or none; found out unless given."`
	Mapping     string `name:"mapping" placeholder:"JSON" help:"Where columns go that go elsewhere than their names say: {\"Work email\":\"email\",\"Internal\":null}."`
	Chatbot     string `name:"chatbot" placeholder:"cb_..." help:"Whose leads these are."`
	Source      string `name:"source" help:"Source of the leads that name none."`
	OnDuplicate string `name:"on-duplicate" enum:",error,update,return" default:"" help:"What becomes of a row whose email a lead has: error (it is reported), update or return (it is left out)."`
	DryRun      bool   `name:"dry-run" help:"Only show how the file is read and what its first 20 rows would become."`
	NoEvents    bool   `name:"no-events" help:"Make no lead.created events: webhooks are not told."`
	Errors      string `name:"errors" placeholder:"FILE" help:"Where to write why rows were left out, and what was odd about others; imp_...-errors.csv unless given."`
}

// Check says everything that is wrong.
func (l *leadImport) Check() (mistakes []error) {
	mistakes = l.access.Check()
	if m, err := l.mapping(); err != nil || l.Mapping != "" && m == nil {
		mistakes = append(mistakes, config.Invalid("mapping",
			"must be a JSON object of column names and the fields they go to"))
	}
	return mistakes
}

func (l *leadImport) mapping() (m leadfile.Mapping, err error) {
	if l.Mapping == "" {
		return nil, nil
	}
	return m, json.Unmarshal([]byte(l.Mapping), &m)
}

// run imports the file. The error is what a script should stop for: rows were rejected, or the import did not end well.
func (l *leadImport) run(ctx context.Context, waits client.Options, out, _ io.Writer) error {
	file, size, err := l.open()
	if err != nil {
		return err
	}
	defer file.Close()
	api := l.client(waits)
	defer api.Close()
	if l.DryRun {
		return l.preview(ctx, api, file, size, out)
	}
	show := newProgress(out)
	made, err := l.upload(ctx, api, &countingReader{from: file}, size, show)
	if err != nil {
		show.end()
		return err
	}
	ended, err := l.follow(ctx, api, made, show)
	show.end()
	if err != nil {
		return err
	}
	return l.conclude(ctx, api, ended, out)
}

// open opens the file; size is -1 where nobody knows it.
func (l *leadImport) open() (file *os.File, size int64, err error) {
	if l.File == "-" {
		return os.Stdin, -1, nil
	}
	if file, err = os.Open(l.File); err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", l.File)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return file, -1, nil
	}
	if info.Size() > leadfile.MaxBytes {
		file.Close()
		return nil, 0, fmt.Errorf("%s is larger than %d MiB: divide it", l.File, leadfile.MaxBytes>>20)
	}
	return file, info.Size(), nil
}

// upload sends the file, and shows meanwhile how much of it.
func (l *leadImport) upload(
	ctx context.Context, api *client.Client, file *countingReader, size int64, show *progress,
) (client.Import, error) {
	var shown sync.WaitGroup
	defer shown.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shown.Go(func() {
		for tick := time.NewTicker(show.every); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				show.upload(file.n.Load(), size)
			}
		}
	})
	return api.UploadImport(ctx, file, size, l.options())
}

func (l *leadImport) options() client.ImportOptions {
	return client.ImportOptions{
		Format: l.Format, Charset: l.Charset, Sheet: l.Sheet, Delimiter: l.Delimiter, Quote: l.Quote, Header: l.Header,
		Mapping: l.Mapping, ChatbotID: l.Chatbot, Source: l.Source, OnDuplicate: l.OnDuplicate, NoEvents: l.NoEvents,
	}
}

// preview says how the file is read, and what its first rows would become.
func (l *leadImport) preview(ctx context.Context, api *client.Client, file io.Reader, size int64, out io.Writer) error {
	text, err := api.PreviewImport(ctx, file, size, l.options())
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, indented.String())
	return err
}

const (
	followEvery = 500 * time.Millisecond
	outage      = 2 * time.Minute // of an API that does not answer, before the command gives up
)

// follow asks how far the import is until it has ended.
func (l *leadImport) follow(
	ctx context.Context, api *client.Client, i client.Import, show *progress,
) (client.Import, error) {
	api = api.WithPatience(outage)
	begin := time.Now()
	for slices.Contains([]string{"waiting", "running"}, i.State) {
		show.rows(i, time.Since(begin))
		select {
		case <-ctx.Done():
		case <-time.After(followEvery):
		}
		now, err := api.GetImport(ctx, i.ID)
		switch {
		case ctx.Err() != nil:
			return i, fmt.Errorf("not waiting any longer: import %s goes on", i.ID)
		case err != nil:
			return i, fmt.Errorf("import %s: %w", i.ID, err)
		}
		i = now
	}
	show.rows(i, time.Since(begin))
	return i, nil
}

// conclude says what the import came to, and writes its report.
func (l *leadImport) conclude(ctx context.Context, api *client.Client, i client.Import, out io.Writer) error {
	fmt.Fprintf(out, "Import %s is %s: %d rows, %d created, %d updated, %d duplicates, %d rejected, "+
		"%d with warnings\n", i.ID, i.State, i.Rows, i.Created, i.Updated, i.Duplicates, i.Rejected, i.Warnings)
	if i.Rejected+i.Warnings > 0 || i.Duplicates > 0 && l.OnDuplicate != "return" {
		path := l.Errors
		if path == "" {
			path = i.ID + "-errors.csv"
		}
		if err := l.report(ctx, api, i.ID, path); err != nil {
			return fmt.Errorf("report of import %s: %w", i.ID, err)
		}
		fmt.Fprintf(out, "Why rows were left out, or are odd: %s\n", path)
	}
	switch {
	case i.State != "done" && i.Reason != nil:
		return fmt.Errorf("import %s %s: %s", i.ID, i.State, *i.Reason)
	case i.State != "done":
		return fmt.Errorf("import %s was %s", i.ID, i.State)
	case i.Rejected > 0:
		return fmt.Errorf("%d of %d rows were rejected", i.Rejected, i.Rows)
	}
	return nil
}

func (l *leadImport) report(ctx context.Context, api *client.Client, imp, path string) error {
	report, err := api.ImportErrors(ctx, imp)
	if err != nil {
		return err
	}
	defer report.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, report)
	return errors.Join(err, file.Close())
}

// countingReader counts the bytes that are read.
type countingReader struct {
	from io.Reader
	n    atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n.Add(int64(n))
	return n, err
}
