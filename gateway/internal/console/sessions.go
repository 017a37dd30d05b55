package console

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

const sessionsPath = Root + "/sessions"

func sessionRoutes() []route {
	const scope = tenant.KeysManage
	return []route{
		{"GET", sessionsPath, scope, sessions, []string{"GET /api/v1/console-sessions"}, nil},
		{"POST", sessionsPath, scope, createSession, []string{"POST /api/v1/console-sessions"}, sessions},
		{"POST", sessionsPath + "/end", scope, endSessions, []string{"DELETE /api/v1/console-sessions"}, sessions},
		{"POST", sessionsPath + "/{id}/end", scope, endSession, []string{"DELETE /api/v1/console-sessions/{id}"}, sessions},
	}
}

type session struct {
	ID, Name, KeyID, URL, CreatedAt, ExpiresAt, LinkExpiresAt, OpenedAt, EndedAt string
	Scopes, FrameOrigins                                                         []string
	Own                                                                          bool // the one that looks
	KeyName                                                                      string
}

// Means are its scopes in words.
func (s session) Means() []string { return scopeWords(s.Scopes) }

// live reports whether somebody may be in it, now or with its link.
func (s session) live() bool {
	return s.EndedAt == "" && !past(s.ExpiresAt) && (s.OpenedAt != "" || !past(s.LinkExpiresAt))
}

// past reports whether a time of the API is over; of what is no time it is true.
func past(stamp string) bool {
	at, err := time.Parse(time.RFC3339Nano, stamp)
	return err != nil || at.Before(time.Now())
}

type sessionsPage struct {
	Sessions []session
	Next     string
	Scopes   []scopeChoice
	Form     url.Values
}

// sessions lists who is signed in, and the links that wait to be opened.
func sessions(v *visit) error {
	p := sessionsPage{Scopes: v.scopeChoices(), Form: v.form}
	if p.Form == nil {
		p.Form = url.Values{"scopes": {string(tenant.LeadsRead), string(tenant.LeadsWrite)}}
	}
	names, err := v.keyNames()
	if err != nil {
		return err
	}
	var all []session
	q := pick(v.r.URL.Query(), "cursor")
	q.Set("limit", "100")
	next, err := v.list("/api/v1/console-sessions", q, &all)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.live() {
			s.Own, s.KeyName = s.ID == id.ConsoleSession.Format(v.session.ID), names[s.KeyID]
			p.Sessions = append(p.Sessions, s)
		}
	}
	if next != "" {
		p.Next = "?" + url.Values{"cursor": {next}}.Encode()
	}
	return v.show("sessions.html", "Sign-ins", p)
}

// createSession makes a link for somebody else and shows it, this once.
func createSession(v *visit) error {
	f := v.r.PostForm
	body := map[string]any{"name": f.Get("name"), "scopes": append([]string{}, given(f, "scopes")...),
		"expiresInSeconds": numberOrText(f.Get("expiresInSeconds")), "linkExpiresInSeconds": int(tenant.MaxLinkLife.Seconds())}
	var s session
	if err := v.send(http.MethodPost, "/api/v1/console-sessions", body, &s); err != nil {
		return err
	}
	return v.show("session-link.html", "A link to the console", s)
}

func endSession(v *visit) error {
	path := "/api/v1/console-sessions/" + url.PathEscape(mux.Vars(v.r)["id"])
	if err := v.send(http.MethodDelete, path, nil, nil); err != nil {
		return err
	}
	return v.done(sessionsPath, "It was signed out, within a second.")
}

// endSessions signs everybody out, and so whoever asked for it.
func endSessions(v *visit) error {
	if err := v.send(http.MethodDelete, "/api/v1/console-sessions", nil, nil); err != nil {
		return err
	}
	http.SetCookie(v.w, v.cookie(v.r, v.session, sessionCookie, "", -1))
	return v.done(Root+"/sign-in", "Everybody was signed out.")
}
