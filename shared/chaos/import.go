package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
)

// importLimit is how long an import may take beside all that happens to it.
const importLimit = 20 * time.Minute

// importKills is how often the worker is killed before an import is done.
const importKills = 5

// imports are the scenarios of a file that becomes leads.
func imports() []scenario {
	return []scenario{
		{name: "import-kill", what: fmt.Sprintf("the worker is killed %d times in the middle of an import", importKills),
			whole: importKill},
	}
}

// importedFile is a file in which every row has its number: one of a thousand is wrong, and another one a duplicate of
// the first.
type importedFile struct{ rows int }

func (f importedFile) wrong(row int) bool     { return row%1000 == 0 }
func (f importedFile) duplicate(row int) bool { return row%1000 == 500 }

func (f importedFile) write(to *io.PipeWriter) {
	var b []byte
	b = append(b, "email,name,row\n"...)
	for row := 1; row <= f.rows; row++ {
		switch {
		case f.wrong(row):
			b = fmt.Appendf(b, "nobody,,%d\n", row)
		case f.duplicate(row):
			b = fmt.Appendf(b, "P1@Example.com,,%d\n", row)
		default:
			b = fmt.Appendf(b, "p%d@example.com,\"Lee, Ann\",%d\n", row, row)
		}
		if len(b) > 64<<10 || row == f.rows {
			if _, err := to.Write(b); err != nil {
				return
			}
			b = b[:0]
		}
	}
	to.Close()
}

// want is what the import must come to.
func (f importedFile) want() leadfile.Tally {
	tally := leadfile.Tally{Rows: f.rows}
	for row := 1; row <= f.rows; row++ {
		switch {
		case f.wrong(row):
			tally.Rejected++
		case f.duplicate(row):
			tally.Duplicates++
		default:
			tally.Created++
		}
	}
	return tally
}

// importKill sends a file, kills the worker again and again while it works on it, and then checks that each row counted
// once.
func importKill(ctx context.Context, run *runner) (report string, err error) {
	f := importedFile{run.rows}
	begin := time.Now()
	imp, err := run.upload(ctx, f)
	if err != nil {
		return "", err
	}
	sent := time.Since(begin)
	for n := 1; n <= importKills; n++ {
		i, err := run.awaitImport(ctx, imp, func(i leadfile.Import) bool { return i.Rows >= n*f.rows/(importKills+1) })
		if err != nil {
			return "", err
		}
		if i.State == leadfile.Done {
			return "", fmt.Errorf("the import was done before the worker was killed %d times: -rows is too small", n)
		}
		if err := run.Workers()[0].Kill(); err != nil {
			return "", err
		}
		if err := run.Workers()[0].Start(ctx); err != nil {
			return "", err
		}
	}
	run.loaded()
	i, err := run.awaitImport(ctx, imp, func(i leadfile.Import) bool { return i.FinishedAt != nil })
	if err != nil {
		return "", err
	}
	took := time.Since(begin)
	report = fmt.Sprintf("  %d rows: sent in %v, done after %v with %d kills\n", f.rows, ms(sent), ms(took), importKills)
	return report, run.checkImport(ctx, f, i)
}

// upload sends the file.
func (run *runner) upload(ctx context.Context, f importedFile) (imp id.UUID, err error) {
	body, to := io.Pipe()
	go f.write(to)
	defer body.Close()
	i, err := run.api().UploadImport(ctx, body, -1, client.ImportOptions{NoEvents: true})
	if err != nil {
		return imp, fmt.Errorf("send the file: %w", err)
	}
	return id.Import.Parse(i.ID)
}

// api returns a client with the demo workspace's key.
func (run *runner) api() *client.Client {
	return client.New(client.Options{URL: run.URL, Key: run.Key})
}

// awaitImport waits until the import is so, or has ended.
func (run *runner) awaitImport(
	ctx context.Context, imp id.UUID, so func(leadfile.Import) bool,
) (i leadfile.Import, err error) {
	for {
		if i, err = run.db.GetImport(ctx, run.workspace, imp); err != nil || so(i) || i.FinishedAt != nil {
			return i, err
		}
		if !pause(ctx, 50*time.Millisecond) {
			return i, fmt.Errorf("the import is %s after %d rows: %w", i.State, i.Rows, ctx.Err())
		}
	}
}

// checkImport compares what there is with what the file says.
func (run *runner) checkImport(ctx context.Context, f importedFile, i leadfile.Import) error {
	if want := f.want(); i.State != leadfile.Done || i.Tally != want {
		return fmt.Errorf("the import is %s with %+v (%s), want it done with %+v", i.State, i.Tally, i.Reason, want)
	}
	const left = `select count(*) from import_chunks` // its file goes right after its last row
	for pieces, until := 1, time.Now().Add(10*time.Second); pieces > 0 && time.Now().Before(until); {
		if err := run.db.GetContext(ctx, &pieces, left); err != nil {
			return fmt.Errorf("count pieces: %w", err)
		}
		if pieces > 0 && !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	var leads, rows, pieces int
	const q = `select count(*), count(distinct metadata ->> 'row'), (select count(*) from import_chunks) from leads`
	if err := run.db.QueryRowContext(ctx, q).Scan(&leads, &rows, &pieces); err != nil {
		return fmt.Errorf("count leads: %w", err)
	}
	if leads != i.Created || rows != i.Created || pieces != 0 {
		return fmt.Errorf("%d leads of %d rows and %d pieces of the file, want %d, %d and none", leads, rows, pieces,
			i.Created, i.Created)
	}
	return run.checkReport(ctx, f, i)
}

// checkReport reads the report and looks for each row that it must have.
func (run *runner) checkReport(ctx context.Context, f importedFile, i leadfile.Import) error {
	report, err := run.api().ImportErrors(ctx, id.Import.Format(i.ID))
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	defer report.Close()
	lines, err := csv.NewReader(report).ReadAll()
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	at := 1
	for row := 1; row <= f.rows; row++ {
		code := ""
		switch {
		case f.wrong(row):
			code = "VALIDATION_ERROR"
		case f.duplicate(row):
			code = "DUPLICATE_EMAIL"
		default:
			continue
		}
		if at >= len(lines) || lines[at][0] != fmt.Sprint(row) || lines[at][1] != code {
			return fmt.Errorf("the report's line %d is not row %d with %s", at, row, code)
		}
		at++
	}
	if at != len(lines) {
		return fmt.Errorf("the report has %d lines, want %d", len(lines)-1, at-1)
	}
	return nil
}
