package main

import (
	"fmt"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
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
