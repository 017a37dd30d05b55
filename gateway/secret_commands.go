package main

import (
	"fmt"

	"leadgate/shared/pg"
)

type secretsCommand struct {
	Rotate rotateSecrets `cmd:"" help:"Encrypt all stored secrets with the first of the keys, while everything runs."`
	Status secretsStatus `cmd:"" help:"Show how many secrets are encrypted with which key."`
}

type rotateSecrets struct{ output }

// rotatedSecrets is what a rotation did, as JSON.
type rotatedSecrets struct {
	Key          string `json:"key"`
	Endpoints    int    `json:"endpoints"`
	Forms        int    `json:"forms"`
	Installation int    `json:"installation"` // 1: the secret that all gateways share
	Changing     int    `json:"changing"`     // left, because they changed each time
}

// Run seals the secrets anew.
func (c *rotateSecrets) Run(o *operator) error {
	done, changing, err := o.db.SealSecrets(o.ctx)
	if done.Key != "" {
		text := fmt.Sprintf("Encrypted with the key %q: the secrets of %d endpoints and %d forms\n", done.Key, done.Endpoints,
			done.Forms)
		if done.Installation > 0 {
			text += "and the installation's own\n"
		}
		if changing > 0 {
			text += fmt.Sprintf("Left, because they changed meanwhile: %d; run it again\n", changing)
		}
		view := rotatedSecrets{done.Key, done.Endpoints, done.Forms, done.Installation, changing}
		if err := c.show(o.out, view, text); err != nil {
			return err
		}
	}
	return err
}

type secretsStatus struct{ output }

// secretsOfKey is how many secrets are sealed with one key, as JSON.
type secretsOfKey struct {
	Key          *string `json:"key"` // null: in clear
	Endpoints    int     `json:"endpoints"`
	Forms        int     `json:"forms"`
	Installation int     `json:"installation"` // 1: the secret that all gateways share
	State        string  `json:"state"`        // first, configured, missing, clear
}

// Run shows the keys.
func (c *secretsStatus) Run(o *operator) error {
	counts, err := o.db.CountSecrets(o.ctx)
	if err != nil {
		return err
	}
	view := views(counts, func(n pg.SecretCount) secretsOfKey {
		s := secretsOfKey{Key: &n.Key, Endpoints: n.Endpoints, Forms: n.Forms, Installation: n.Installation,
			State: "missing"}
		switch {
		case n.Key == "":
			s.Key, s.State = nil, "clear"
		case n.Key == o.secrets.First():
			s.State = "first"
		case o.secrets.Has(n.Key):
			s.State = "configured"
		}
		return s
	})
	text := table("KEY\tENDPOINTS\tFORMS\tINSTALLATION\tSTATE", view, func(s secretsOfKey) string {
		key := "-"
		if s.Key != nil {
			key = *s.Key
		}
		return fmt.Sprintf("%s\t%d\t%d\t%d\t%s", key, s.Endpoints, s.Forms, s.Installation, s.State)
	})
	return c.show(o.out, view, text)
}
