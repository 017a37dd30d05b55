package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"leadgate/gateway/internal/admin"
	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

type suspendWorkspace struct {
	output
	inWorkspace
	Reason string `required:"" help:"Why, for other administrators, up to 500 characters. The workspace does not see it."`
}

// Run suspends the workspace.
func (c *suspendWorkspace) Run(o *operator) error {
	w, err := o.tenants.Suspend(o.ctx, id.UUID(c.Workspace), encode(map[string]any{"reason": c.Reason}))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Suspended workspace %s (%s) since %s; gateways follow within a second\n",
		id.Workspace.Format(w.ID), w.Name, minute(&w.Suspension.At))
	return c.show(o.out, tenants.ViewLimits(w), text)
}

type resumeWorkspace struct {
	output
	inWorkspace
}

// Run resumes the workspace.
func (c *resumeWorkspace) Run(o *operator) error {
	w, err := o.tenants.Resume(o.ctx, id.UUID(c.Workspace))
	if err != nil {
		return err
	}
	return c.show(o.out, tenants.ViewLimits(w), fmt.Sprintf("Resumed workspace %s (%s)\n", id.Workspace.Format(w.ID),
		w.Name))
}

type exportWorkspace struct {
	inWorkspace
	Format string `name:"format" enum:"csv,ndjson" default:"csv" help:"csv or ndjson, of the two files in the archive."`
	Out    string `name:"out" required:"" placeholder:"FILE.zip" help:"Where the archive goes, - for standard output. A file is there only when it is whole."`
	Force  bool   `name:"force" help:"Overwrite a file that is there."`
}

func (c *exportWorkspace) file() *exportFile { return &exportFile{Out: c.Out, Force: c.Force} }

// Check says whether the file must not be written.
func (c *exportWorkspace) Check() []error { return c.file().Check() }

// Run writes the archive, by the API's own handler.
func (c *exportWorkspace) Run(o *operator) error {
	handler := api.New(api.Deps{DB: o.db, Now: time.Now,
		Edge: httpx.New(httpx.Deps{Log: slog.New(slog.DiscardHandler), Listener: "api"})})
	r, err := http.NewRequestWithContext(o.ctx, http.MethodGet, "/?format="+c.Format, http.NoBody)
	if err != nil {
		return err
	}
	out, keep, err := c.file().open(o.out)
	if err != nil {
		return err
	}
	return keep(wholly(func() error {
		return admin.Export(&fileWriter{Writer: out}, r, handler, o.tenants, id.UUID(c.Workspace))
	}))
}

// wholly makes an error of a handler's giving up in the middle.
func wholly(do func() error) (err error) {
	defer func() {
		if reason := recover(); reason == http.ErrAbortHandler {
			err = errors.New("the export broke off")
		} else if reason != nil {
			panic(reason)
		}
	}()
	return do()
}

// fileWriter is a file as a handler writes to a client.
type fileWriter struct{ io.Writer }

func (*fileWriter) Header() http.Header              { return http.Header{} }
func (*fileWriter) WriteHeader(int)                  {}
func (*fileWriter) SetWriteDeadline(time.Time) error { return nil }
func (*fileWriter) FlushError() error                { return nil }

type deleteWorkspace struct {
	output
	inWorkspace
	Name          string `required:"" help:"The name of the workspace, so that it is not another one by mistake."`
	WithoutExport bool   `help:"Delete it though nobody has exported it since it was suspended."`
}

// Run asks for the deletion, which a worker does.
func (c *deleteWorkspace) Run(o *operator) error {
	d, err := o.tenants.Delete(o.ctx, id.UUID(c.Workspace), encode(map[string]any{"name": c.Name,
		"withoutExport": c.WithoutExport}))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("A worker deletes workspace %s and all that it has; gateway workspace deletions shows how far it is\n",
		id.Workspace.Format(d.Workspace))
	return c.show(o.out, tenants.ViewDeletion(d), text)
}

type listDeletions struct{ output }

// Run lists the deletions.
func (c *listDeletions) Run(o *operator) error {
	all, err := readAll(func(before id.UUID) ([]tenant.Deletion, error) {
		return o.db.ListDeletions(o.ctx, before, pageSize)
	}, func(d tenant.Deletion) id.UUID { return d.Workspace })
	if err != nil {
		return err
	}
	text := table("WORKSPACE\tSTATE\tREQUESTED\tBY\tEXPORTED\tERASED\tDONE", all, func(d tenant.Deletion) string {
		v := tenants.ViewDeletion(d)
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d\t%s", v.WorkspaceID, v.State, minute(&d.RequestedAt),
			cmp.Or(d.RequestedBy, "-"), minute(d.ExportedAt), v.Rows(), minute(d.FinishedAt))
	})
	return c.show(o.out, views(all, tenants.ViewDeletion), text)
}
