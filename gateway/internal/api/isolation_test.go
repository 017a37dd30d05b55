package api_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/spectest"
	"leadgate/shared/tenant"
)

// Whatever of another workspace a path names is 404, whatever else is sent along; nothing of it is told, and nothing
// changes there. The operations are the document's, so a new one is tried too.
func TestNoOperationReachesAnotherWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	victim, thief := b.mustWorkspace(t, tenant.Settings{}), b.owner
	made := map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(makers())) {
		b.mustThing(t, "", kind, victim, made)
	}
	was := b.everything(t, victim)
	tried := 0
	for _, o := range mustDocument(t).Operations() {
		if o.Public || !strings.Contains(o.Path, "{") {
			continue
		}
		path := b.mustPath(t, o, victim, made)
		bodies := o.Bodies
		if len(bodies) == 0 {
			bodies = []spectest.Body{{}}
		}
		for _, body := range bodies {
			if body.MediaType != "" {
				body = b.withThings(t, body, victim, made)
			}
			got := b.sendBody(t, thief.secret, o.Method, path, body)
			tried++
			if got.status != 404 {
				t.Errorf("%s %s of another workspace = %d %s, want 404", o.Method, path, got.status, got.text)
			}
			b.wantNothingOf(t, victim, o.ID, got)
		}
		for _, extra := range o.Query {
			if extra == "erase" { // the one parameter that does worse
				b.sendBody(t, thief.secret, o.Method, path+"?erase=true&suppress=true", spectest.Body{})
			}
		}
	}
	if diff := cmp.Diff(was, b.everything(t, victim)); diff != "" {
		t.Errorf("another workspace's requests changed this one (-before +after):\n%s", diff)
	}
	if tried < 25 {
		t.Errorf("%d operations were tried, want all with an id in their path", tried)
	}
}

// An id of another workspace in a query or a body finds nothing and changes nothing.
func TestNoParameterReachesAnotherWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	victim, thief := b.mustWorkspace(t, tenant.Settings{}), b.owner
	made := map[string]string{}
	for _, kind := range []string{"LeadId", "ChatbotId", "WebhookId"} {
		b.mustThing(t, "", kind, victim, made)
	}
	was := b.everything(t, victim)
	for _, o := range mustDocument(t).Operations() {
		if o.Public {
			continue
		}
		own := b.mustPath(t, o, thief, map[string]string{})
		for _, name := range o.Query {
			kind := o.Parameters[name]
			if _, ok := exampleIDs[kind]; !ok {
				continue
			}
			body := spectest.Body{}
			if len(o.Bodies) > 0 {
				body = o.Bodies[0]
			}
			got := b.sendBody(t, thief.secret, o.Method, own+"?"+name+"="+made[kind], body)
			if got.status != 404 && got.status != 400 && strings.Contains(got.text, marker) {
				t.Errorf("%s %s?%s of another workspace = %d %s, want 404 or nothing", o.Method, own, name, got.status, got.text)
			}
			b.wantNothingOf(t, victim, o.ID+" by "+name, got)
		}
		for _, body := range o.Bodies {
			theirs := b.withThings(t, body, victim, maps.Clone(made))
			if cmp.Equal(theirs.Value, body.Value) {
				continue // it names nothing
			}
			got := b.sendBody(t, thief.secret, o.Method, own, theirs)
			if got.status < 300 && got.status != 207 {
				t.Errorf("%s %s %v of another workspace = %d %s, want it refused", o.Method, own, theirs.Value, got.status,
					got.text)
			}
			b.wantNothingOf(t, victim, o.ID, got)
		}
	}
	if diff := cmp.Diff(was, b.everything(t, victim)); diff != "" {
		t.Errorf("another workspace's requests changed this one (-before +after):\n%s", diff)
	}
}

func (b *bundle) wantNothingOf(t *testing.T, c owner, what string, got answer) {
	t.Helper()
	if ws := id.Workspace.Format(c.workspace); strings.Contains(got.text, ws) {
		t.Errorf("%s tells %s, which has something of workspace %s", what, got.text, ws)
	}
}

var lastUsed = regexp.MustCompile(`"lastUsedAt":("[^"]*"|null)`)

// everything is what a workspace's owner sees of it, but for when its keys were used.
func (b *bundle) everything(t *testing.T, c owner) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, o := range mustDocument(t).Operations() {
		if o.Public || o.Method != "GET" || strings.Contains(o.Path, "{") || o.ID == "getUsage" {
			continue
		}
		got := b.send(t, c.secret, "GET", o.Path, "")
		if got.status != 200 {
			t.Fatalf("GET %s = %d %s, want 200", o.Path, got.status, got.text)
		}
		all[o.ID] = lastUsed.ReplaceAllString(got.text, "")
	}
	return all
}
