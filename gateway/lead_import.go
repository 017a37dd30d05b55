package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/config"
	"leadgate/shared/fault"
	"leadgate/shared/leadfile"
)

// client is what a customer's computer runs: it speaks to the API, and to no store.
type client struct {
	Version config.Version `name:"version" help:"Print the version."`
	Lead    leadCommand    `cmd:"" help:"Import and export leads over the API, with a key."`
}

type leadCommand struct {
	Import leadImport `cmd:"" help:"Import a CSV or NDJSON file, and wait until it is done."`
	Export leadExport `cmd:"" help:"Write leads to a CSV or NDJSON file."`
}

// leadImport sends a file to POST /api/v1/imports and follows it.
type leadImport struct {
	File        string        `arg:"" help:"A CSV or NDJSON file, - for standard input."`
	URL         string        `name:"url" from:"LEADGATE_URL" default:"http://127.0.0.1:8080" help:"Where the API is."`
	Key         config.Secret `name:"key" from:"LEADGATE_KEY" required:"" help:"API key with leads:write and leads:read."`
	Format      string        `name:"format" enum:",csv,ndjson" default:"" help:"csv or ndjson; by the file's name unless given, and else csv."`
	Mapping     string        `name:"mapping" placeholder:"JSON" help:"Where columns go that go elsewhere than their names say: {\"Work email\":\"email\",\"Internal\":null}."`
	Chatbot     string        `name:"chatbot" placeholder:"cb_..." help:"Whose leads these are."`
	Source      string        `name:"source" help:"Source of the leads that name none."`
	OnDuplicate string        `name:"on-duplicate" enum:",error,update,return" default:"" help:"What becomes of a row whose email a lead has: error (it is reported), update or return (it is left out)."`
	NoEvents    bool          `name:"no-events" help:"Make no lead.created events: webhooks are not told."`
	Errors      string        `name:"errors" placeholder:"FILE" help:"Where to write why rows were left out; imp_...-errors.csv unless given."`
}

// Check says everything that is wrong.
func (l *leadImport) Check() (mistakes []error) {
	if u, err := url.Parse(l.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		mistakes = append(mistakes, config.Wrong("url", "must begin with http:// or https:// and a host"))
	}
	if m, err := l.mapping(); err != nil || l.Mapping != "" && m == nil {
		mistakes = append(mistakes, config.Wrong("mapping", "must be a JSON object of column names and the fields they go to"))
	}
	return mistakes
}

func (l *leadImport) mapping() (m leadfile.Mapping, err error) {
	if l.Mapping == "" {
		return nil, nil
	}
	return m, json.Unmarshal([]byte(l.Mapping), &m)
}

// runClient runs a client's command.
func runClient(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer, version string) error {
	var c client
	cmd, ok, err := config.Parse(&c, "gateway", about, config.Source{Args: args, Getenv: getenv, Stdout: stdout, Version: version})
	if !ok || err != nil {
		return err
	}
	if cmd.Command() == "lead export" {
		return c.Lead.Export.run(ctx, usualWaits(), stdout, os.Stderr)
	}
	return c.Lead.Import.run(ctx, usualWaits(), stdout)
}

// run imports the file. The error is what a script should stop for: rows were rejected, or the import did not end well.
func (l *leadImport) run(ctx context.Context, w waits, out io.Writer) error {
	file, size, err := l.open()
	if err != nil {
		return err
	}
	defer file.Close()
	start := bufio.NewReaderSize(file, 2*leadfile.MaxRow)
	if err := l.look(start); err != nil {
		return err
	}
	api := newLeadAPI(l.URL, l.Key, w)
	defer api.close()
	show := newProgress(out)
	made, err := l.upload(ctx, api, &counted{from: start}, size, show)
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

func (l *leadImport) format() string {
	switch {
	case l.Format != "":
		return l.Format
	case slices.Contains([]string{".ndjson", ".jsonl"}, strings.ToLower(filepath.Ext(l.File))):
		return string(leadfile.NDJSON)
	}
	return string(leadfile.CSV)
}

// look tells mistakes of the file's start before it is sent.
func (l *leadImport) look(file *bufio.Reader) error {
	first, err := file.Peek(leadfile.MaxRow + 2)
	if err != nil && err != io.EOF {
		return err
	}
	if l.format() == string(leadfile.NDJSON) {
		err = leadfile.CheckLines(first)
	} else {
		m, _ := l.mapping() // it was checked
		_, _, err = leadfile.ReadHeader(first, m)
	}
	if err == nil {
		return nil
	}
	var told apiError
	text, _ := json.Marshal(fault.From(err).Details) // plain fields: cannot fail
	if json.Unmarshal(text, &told.Details) != nil {
		return err
	}
	told.Error = l.File + " cannot be imported"
	return told.plain()
}

// followed is an import as the API tells it.
type followed struct {
	ID, State                                    string
	Bytes, Position                              int64
	Rows, Created, Updated, Duplicates, Rejected int
	Reason                                       *string
	Progress                                     float64
}

// importsPath is where imports are.
const importsPath = "/api/v1/imports"

func (l *leadImport) upload(ctx context.Context, api *leadAPI, file *counted, size int64, show *progress) (made followed, err error) {
	q := url.Values{"format": {l.format()}}
	for name, value := range map[string]string{"mapping": l.Mapping, "chatbotId": l.Chatbot, "source": l.Source, "onDuplicate": l.OnDuplicate} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if l.NoEvents {
		q.Set("events", "false")
	}
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api.url+importsPath+"?"+q.Encode(), file)
	if err != nil {
		return made, err
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", map[string]string{"csv": "text/csv", "ndjson": "application/x-ndjson"}[l.format()])
	res, err := api.stream(req, http.StatusAccepted)
	if err != nil {
		return made, err
	}
	defer res.Body.Close()
	_, err = decodeData(res, &made)
	return made, err
}

const (
	followEvery = 500 * time.Millisecond
	outage      = 2 * time.Minute // of an API that does not answer, before it is given up
)

// follow asks how far the import is until it has ended.
func (l *leadImport) follow(ctx context.Context, api *leadAPI, i followed, show *progress) (followed, error) {
	last, begin := time.Now(), time.Now()
	for slices.Contains([]string{"waiting", "running"}, i.State) {
		show.rows(i, time.Since(begin))
		select {
		case <-ctx.Done():
			return i, fmt.Errorf("not waiting any longer: import %s goes on", i.ID)
		case <-time.After(followEvery):
		}
		again, err := api.ask(ctx, importsPath+"/"+i.ID, &i)
		switch {
		case err == nil:
			last = time.Now()
		case ctx.Err() == nil && (!again || time.Since(last) > outage):
			return i, fmt.Errorf("import %s: %w", i.ID, err)
		}
	}
	show.rows(i, time.Since(begin))
	return i, nil
}

// conclude tells what the import came to, and writes its report.
func (l *leadImport) conclude(ctx context.Context, api *leadAPI, i followed, out io.Writer) error {
	fmt.Fprintf(out, "Import %s is %s: %d rows, %d created, %d updated, %d duplicates, %d rejected\n", i.ID, i.State, i.Rows, i.Created, i.Updated, i.Duplicates, i.Rejected)
	if i.Rejected > 0 || i.Duplicates > 0 && l.OnDuplicate != "return" {
		path := l.Errors
		if path == "" {
			path = i.ID + "-errors.csv"
		}
		if err := l.report(ctx, api, i.ID, path); err != nil {
			return fmt.Errorf("report of import %s: %w", i.ID, err)
		}
		fmt.Fprintf(out, "Why rows were left out: %s\n", path)
	}
	switch {
	case i.State != "done" && i.Reason != nil:
		return fmt.Errorf("import %s %s: %s", i.ID, i.State, *i.Reason)
	case i.State != "done":
		return fmt.Errorf("import %s was %s", i.ID, i.State)
	case i.Rejected > 0:
		return fmt.Errorf("%d rows were rejected", i.Rejected)
	}
	return nil
}

func (l *leadImport) report(ctx context.Context, api *leadAPI, imp, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.url+importsPath+"/"+imp+"/errors", nil)
	if err != nil {
		return err
	}
	res, err := api.stream(req, http.StatusOK)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, res.Body)
	return errors.Join(err, file.Close())
}

// counted counts what is read.
type counted struct {
	from io.Reader
	n    atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n.Add(int64(n))
	return n, err
}
