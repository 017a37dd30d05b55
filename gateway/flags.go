package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"leadgate/shared/id"
)

// workspaceID and keyID are ids as flags.
type (
	workspaceID id.UUID
	keyID       id.UUID
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *workspaceID) UnmarshalText(text []byte) error {
	u, err := id.Workspace.Parse(string(text))
	if err != nil {
		return malformed(id.Workspace)
	}
	*w = workspaceID(u)
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keyID) UnmarshalText(text []byte) error {
	u, err := id.Key.Parse(string(text))
	if err != nil {
		return malformed(id.Key)
	}
	*k = keyID(u)
	return nil
}

// malformed is the error of a flag that is no id of prefix p, worded as the API words it, after the flag's name.
func malformed(p id.Prefix) error { return errors.New("m" + p.Rule()[1:]) }

// days is a duration that may be given in days, such as 90d or 1d12h.
type days time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *days) UnmarshalText(text []byte) error {
	const maxDays = 100 * 366
	count, rest, inDays := strings.Cut(string(text), "d")
	var total time.Duration
	if inDays {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 || n > maxDays {
			return errors.New("must be a duration such as 90d, 12h or 30m")
		}
		total = time.Duration(n) * 24 * time.Hour
	} else {
		rest = count
	}
	if rest != "" || !inDays {
		part, err := time.ParseDuration(rest)
		if err != nil || inDays && part < 0 {
			return errors.New("must be a duration such as 90d, 12h or 30m")
		}
		total += part
	}
	*d = days(total)
	return nil
}

// scopeNames are scopes separated by commas. Nil means that the flag is absent; an empty text is an empty list, which
// is refused.
type scopeNames []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *scopeNames) UnmarshalText(text []byte) error {
	if *s == nil {
		*s = scopeNames{}
	}
	if len(text) > 0 {
		*s = append(*s, strings.Split(string(text), ",")...)
	}
	return nil
}
