package tenants

import (
	"context"
	"reflect"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

const maxScope = 50 // characters

// GetKey returns a key that the actor manages: of its workspace, and for a key also of the sandbox. A key of the
// sandbox does not manage live keys, so these are NOT_FOUND for it.
func (s Service) GetKey(ctx context.Context, by Actor, key id.UUID) (tenant.Key, error) {
	if by.key == nil {
		return s.DB.GetKey(ctx, by.Workspace, key)
	}
	return s.DB.GetManagedKey(ctx, by.Workspace, key)
}

// CreateKey creates a key of the workspace or, in test mode, of its sandbox, which the first such key creates. The text
// of a secret key is returned here and cannot be read again. An actor that is a key is FORBIDDEN to grant more than it
// may do itself.
func (s Service) CreateKey(ctx context.Context, by Actor, body []byte) (k tenant.Key, text string, err error) {
	k = tenant.Key{
		WorkspaceID: by.Workspace, ID: id.New(), Kind: tenant.SecretKey, Test: by.inSandbox(), CreatedAt: s.now(),
	}
	in := readKey(body, &k, by.expiresAt())
	err = s.placeKey(ctx, by, &k)
	if err == nil {
		err = s.checkChatbot(ctx, k.WorkspaceID, k.Form, in)
	}
	if invalid := in.Err(); invalid != nil {
		return k, "", invalid
	}
	if err != nil {
		return k, "", err
	}
	if by.inSandbox() && !k.Test {
		return k, "", fault.New(fault.Forbidden, "A key of test data cannot make a key of live data")
	}
	if err := by.mayGrant(k.Kind, k.Scopes); err != nil {
		return k, "", err
	}
	if k.WorkspaceID == (id.UUID{}) {
		sandbox := tenant.Workspace{ID: id.New(), TestOf: by.Workspace, CreatedAt: k.CreatedAt}
		entry := s.entry(by, tenant.WorkspaceCreated, id.Workspace.Format(sandbox.ID), map[string]any{"mode": tenant.Test})
		if k.WorkspaceID, err = s.DB.EnsureSandbox(ctx, sandbox, entry); err != nil {
			return k, "", err
		}
	}
	text, hash := k.Issue()
	shown := ViewKey(k)
	entry := s.entry(by, tenant.KeyCreated, shown.ID, map[string]any{
		"kind": k.Kind, "mode": shown.Mode, "scopes": shown.Scopes, "expiresAt": shown.ExpiresAt,
	})
	return k, text, s.DB.CreateKey(ctx, k, hash, entry)
}

// placeKey decides in which workspace a new key belongs; zero means in a sandbox that does not exist yet. A key that
// the operator creates in a sandbox is one of test data, whatever the body says.
func (s Service) placeKey(ctx context.Context, by Actor, k *tenant.Key) (err error) {
	if by.inSandbox() {
		return nil
	}
	if by.key == nil {
		w, err := s.DB.GetWorkspace(ctx, by.Workspace)
		if err != nil {
			return err
		}
		if w.TestOf != (id.UUID{}) {
			k.Test = true
			return nil
		}
	}
	if k.Test {
		k.WorkspaceID, err = s.DB.Sandbox(ctx, by.Workspace)
	}
	return err
}

// readKey reads a new key over k. latest is when the key that creates it expires.
func readKey(body []byte, k *tenant.Key, latest *time.Time) *strictjson.Reader {
	var scopes []string
	var form *tenant.Form
	named := false
	in := strictjson.NewReader(body, []string{"name", "kind", "mode", "scopes", "expiresAt", "form"})
	for in.Next() {
		switch in.Name() {
		case "name":
			k.Name, named = readName(in), true
		case "kind":
			kinds := []string{string(tenant.SecretKey), string(tenant.PublishableKey)}
			if kind := in.Choice(kinds); kind != "" {
				k.Kind = tenant.KeyKind(kind)
			}
		case "mode":
			if mode := in.Choice([]string{string(tenant.Live), string(tenant.Test)}); mode != "" {
				k.Test = mode == string(tenant.Test)
			}
		case "scopes":
			scopes = in.Texts(len(tenant.Scopes()), maxScope)
		case "expiresAt":
			k.ExpiresAt = readExpiry(in, k.CreatedAt, latest)
		case "form":
			if in.Given() {
				f := tenant.ReadForm(in, tenant.Form{})
				form = &f
			}
		}
	}
	requireName(in, named)
	k.EndsBy(latest)
	in.Add(tenant.CheckForm(k.Kind, form != nil, scopes != nil)...)
	if k.Kind == tenant.PublishableKey {
		if k.Form = form; form == nil {
			k.Form = &tenant.Form{}
		}
	} else {
		var unknown []fault.Field
		k.Scopes, unknown = tenant.ParseScopes(scopes)
		in.Add(unknown...)
	}
	return in
}

const timeRule = "Must be an RFC 3339 time in the years 1970 to 9999, such as 2026-01-15T10:30:00Z"

// readExpiry reads when a key expires; nil means never. latest is when the key that creates it expires.
func readExpiry(in *strictjson.Reader, now time.Time, latest *time.Time) *time.Time {
	text, given := in.String(timeRule)
	if !given {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC().Truncate(time.Millisecond); err != nil || at.Year() < 1970 || at.Year() > 9999 {
		in.Refuse(timeRule)
		return nil
	}
	switch {
	case tenant.TooSoon(at, now):
		in.Refuse(tenant.ExpiryRule)
	case latest != nil && at.After(*latest):
		in.Refuse("Must not be later than this API key's own expiry, " + stamp(*latest))
	}
	return &at
}

// checkChatbot adds a problem when a form names a chatbot that its workspace does not have; a zero workspace has none.
func (s Service) checkChatbot(ctx context.Context, workspace id.UUID, f *tenant.Form, in *strictjson.Reader) error {
	if f == nil || f.ChatbotID == "" {
		return nil
	}
	chatbot, err := id.Chatbot.Parse(f.ChatbotID)
	if err != nil {
		return nil // the form's own check has said so
	}
	exists, err := s.DB.ChatbotExists(ctx, workspace, chatbot)
	if err == nil && !exists {
		in.Add(fault.Field{
			Field: "form.chatbotId", Pointer: "/form/chatbotId", Value: f.ChatbotID,
			Message: "Must be a chatbot of the workspace the key is for; test data has chatbots of its own",
		})
	}
	return err
}

// mayGrant is FORBIDDEN where an actor that is a key would give or get more than it may do itself, by creating a key or
// learning its text: a scope that it lacks, or a form, which creates leads.
func (a Actor) mayGrant(kind tenant.KeyKind, scopes []tenant.Scope) error {
	return a.mayHandle(kind, scopes, "cannot grant scopes that it lacks")
}

// mayEnd is FORBIDDEN where an actor that is a key would change or end one that may do more than itself: it could put
// those out of work who are set above it.
func (a Actor) mayEnd(k tenant.Key) error {
	return a.mayHandle(k.Kind, k.Scopes, "cannot change or revoke a key that has scopes that it lacks")
}

func (a Actor) mayHandle(kind tenant.KeyKind, scopes []tenant.Scope, cannot string) error {
	if a.key == nil {
		return nil
	}
	if kind == tenant.PublishableKey {
		if a.key.May(tenant.LeadsWrite) {
			return nil
		}
		return fault.New(fault.Forbidden, "This API key lacks the scope "+string(tenant.LeadsWrite)+
			", without which it cannot manage publishable keys")
	}
	var lacking []tenant.Scope
	for _, scope := range scopes {
		if !a.key.May(scope) {
			lacking = append(lacking, scope)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return fault.New(fault.Forbidden, "This API key "+cannot+": "+strings.Join(names(lacking), ", "))
}

// ReadOverlap reads for how long a rotated key goes on working; without a body that is tenant.DefaultOverlap.
func ReadOverlap(body []byte) (time.Duration, error) {
	overlap := tenant.DefaultOverlap
	if body == nil {
		return overlap, nil
	}
	in := strictjson.NewReader(body, []string{"overlapSeconds"})
	for in.Next() {
		if in.Given() {
			overlap = time.Duration(in.Integer(0, int(tenant.MaxOverlap/time.Second))) * time.Second
		}
	}
	return overlap, in.Err()
}

// RotateKey creates a key that may do what old may and lives as long as old was created to live, but no longer than an
// actor that is a key. Both work until overlap is over; then old expires.
func (s Service) RotateKey(ctx context.Context, by Actor, old tenant.Key, overlap time.Duration) (
	next tenant.Key, text string, err error) {
	if err := by.mayGrant(old.Kind, old.Scopes); err != nil { // the actor learns the new text
		return next, "", err
	}
	next = old.Successor(s.now())
	next.ID = id.New()
	next.EndsBy(by.expiresAt())
	text, hash := next.Issue()
	entry := s.entry(by, tenant.KeyRotated, id.Key.Format(old.ID), map[string]any{
		"next": id.Key.Format(next.ID), "mode": tenant.ModeOf(next.Test), "overlapSeconds": int(overlap / time.Second),
	})
	until := next.CreatedAt.Add(overlap)
	return next, text, s.DB.RotateKey(ctx, old.WorkspaceID, old.ID, until, next, hash, entry)
}

// UpdateKey applies a merge patch (RFC 7396) to a key's name and to what its form does. What a secret key may do cannot
// be changed: another key is created instead. An actor that is a key is FORBIDDEN to change one that may do more.
func (s Service) UpdateKey(ctx context.Context, by Actor, k tenant.Key, body []byte) (tenant.Key, error) {
	patched := k
	in := readKeyPatch(body, &patched)
	if err := s.checkChatbot(ctx, k.WorkspaceID, patched.Form, in); err != nil {
		return k, err
	}
	if err := in.Err(); err != nil {
		return k, err
	}
	if err := by.mayEnd(k); err != nil {
		return k, err
	}
	entry := s.entry(by, "", id.Key.Format(k.ID), nil)
	return s.DB.UpdateKey(ctx, k.WorkspaceID, k.ID, func(k *tenant.Key) error {
		before := *k
		if err := readKeyPatch(body, k).Err(); err != nil { // over the key as it is now
			return err
		}
		var fields []string
		if k.Name != before.Name {
			fields = append(fields, "name")
		}
		if !reflect.DeepEqual(before.Form, k.Form) {
			fields = append(fields, "form")
		}
		if fields != nil {
			entry.Action = tenant.KeyUpdated
			entry.Details = map[string]any{"fields": fields, "mode": tenant.ModeOf(k.Test)}
		}
		return nil
	}, entry)
}

// readKeyPatch reads a patch over k. It replaces k's form and leaves the old one as it is.
func readKeyPatch(body []byte, k *tenant.Key) *strictjson.Reader {
	in := strictjson.NewReader(body, []string{"name", "form"})
	for in.Next() {
		switch in.Name() {
		case "name":
			if name := readName(in); name != "" {
				k.Name = name
			}
		case "form":
			in.Add(tenant.CheckForm(k.Kind, in.Given(), false)...)
			if k.Kind != tenant.PublishableKey {
				continue
			}
			f := tenant.Form{}
			if in.Given() {
				if k.Form != nil {
					f = *k.Form
				}
				f = tenant.ReadForm(in, f)
			}
			k.Form = &f
		}
	}
	return in
}

// RevokeKey ends a key for good, within a second, and returns it; revoking it again changes nothing. A key may revoke
// itself: the operator can create another. It is FORBIDDEN to revoke one that may do more than itself.
func (s Service) RevokeKey(ctx context.Context, by Actor, key id.UUID) (k tenant.Key, err error) {
	if k, err = s.GetKey(ctx, by, key); err != nil {
		return k, err
	}
	if err := by.mayEnd(k); err != nil {
		return k, err
	}
	var details map[string]any // the operator's entry is in the key's own workspace, which says its mode
	if by.key != nil {
		details = map[string]any{"mode": tenant.ModeOf(k.Test)}
	}
	entry := s.entry(by, tenant.KeyRevoked, id.Key.Format(k.ID), details)
	if err := s.DB.RevokeKey(ctx, k.WorkspaceID, k.ID, entry.CreatedAt, entry); err != nil {
		return k, err
	}
	if k.RevokedAt == nil {
		k.RevokedAt = &entry.CreatedAt
	}
	return k, nil
}
