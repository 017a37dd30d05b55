package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
)

const (
	settingsPath = Root + "/settings"
	chatbotsPath = settingsPath + "/chatbots"
)

func settingsRoutes() []route {
	const scope, one = tenant.WorkspaceManage, chatbotsPath + "/{id}"
	return []route{
		{"GET", settingsPath, scope, settings, []string{"GET /api/v1/workspace"}, nil},
		{"POST", settingsPath, scope, saveSettings, []string{"PATCH /api/v1/workspace"}, settings},
		{"GET", chatbotsPath, scope, chatbots, []string{"GET /api/v1/chatbots"}, nil},
		{"POST", chatbotsPath, scope, createChatbot, []string{"POST /api/v1/chatbots"}, chatbots},
		{"GET", one, scope, showChatbot, []string{"GET /api/v1/chatbots/{chatbotId}"}, nil},
		{"POST", one, scope, renameChatbot, []string{"PATCH /api/v1/chatbots/{chatbotId}"}, showChatbot},
		{"POST", one + "/delete", scope, deleteChatbot, []string{"DELETE /api/v1/chatbots/{chatbotId}"}, showChatbot},
	}
}

// ownSettings is a workspace with all that its owner can change.
type ownSettings struct {
	workspace
	Rate, Burst, RateCeiling, BurstCeiling, DeliveryTargetMs int
	Dedupe, Identify, DefaultRegion                          string
	AllowedOrigins                                           []string
	RetrySchedule                                            []int
}

type settingsPage struct {
	Workspace ownSettings
	Form      url.Values
}

// settings shows the workspace's settings.
func settings(v *visit) error {
	var p settingsPage
	if err := v.get("/api/v1/workspace", nil, &p.Workspace); err != nil {
		return err
	}
	if p.Form = v.form; p.Form == nil {
		p.Form = remembered(settingsForm(p.Workspace))
	}
	return v.show("settings.html", "Settings", p)
}

// settingsForm is what the fields show of w. A rate that is its ceiling is left open: it follows the ceiling.
func settingsForm(w ownSettings) url.Values {
	f := url.Values{}
	fill := func(name, text string) {
		if text != "" {
			f.Set(name, text)
		}
	}
	for name, text := range map[string]string{"name": w.Name, "dedupe": w.Dedupe, "identify": w.Identify,
		"defaultRegion": w.DefaultRegion, "statuses": strings.Join(w.Statuses, "\n"),
		"allowedOrigins": strings.Join(w.AllowedOrigins, "\n"), "retrySchedule": waits(w.RetrySchedule)} {
		fill(name, text)
	}
	if w.Rate != w.RateCeiling {
		fill("rate", positive(w.Rate))
	}
	if w.Burst != w.BurstCeiling {
		fill("burst", positive(w.Burst))
	}
	if w.DeliveryTargetMs > 0 {
		f.Set("deliveryTargetMs", strconv.FormatFloat(float64(w.DeliveryTargetMs)/1000, 'f', -1, 64))
	}
	return f
}

// wasField is a hidden field with what a form showed. What somebody else has changed meanwhile is not changed back by
// who did not touch it.
const wasField = "was"

// remembered adds the hidden field to a form.
func remembered(f url.Values) url.Values {
	f.Set(wasField, f.Encode())
	return f
}

// shown is what the fields showed that were entered; of a form without the hidden field it is now.
func shown(entered, now url.Values) url.Values {
	if was, err := url.ParseQuery(entered.Get(wasField)); err == nil && len(was) > 0 {
		return was
	}
	return now
}

// saveSettings changes what differs from what the page showed.
func saveSettings(v *visit) error {
	var w ownSettings
	if err := v.get("/api/v1/workspace", nil, &w); err != nil {
		return err
	}
	was, patch := shown(v.r.PostForm, settingsForm(w)), map[string]any{}
	for _, name := range []string{"name", "statuses", "dedupe", "identify", "defaultRegion", "allowedOrigins",
		"retrySchedule", "deliveryTargetMs", "rate", "burst"} {
		values := given(v.r.PostForm, name)
		if !v.r.PostForm.Has(name) || slices.Equal(values, was[name]) {
			continue
		}
		patch[name] = settingValue(name, values)
	}
	if len(patch) > 0 {
		if err := v.send(http.MethodPatch, "/api/v1/workspace", patch, nil); err != nil {
			return err
		}
	}
	return v.done(settingsPath, "The settings were saved.")
}

// settingValue is what the API takes for a field; nil is its default. What is not understood it is given as it is.
func settingValue(name string, values []string) any {
	if len(values) == 0 {
		if name == "name" {
			return ""
		}
		return nil
	}
	text := values[0]
	switch name {
	case "statuses", "allowedOrigins":
		return lines(text)
	case "retrySchedule":
		return seconds(text)
	case "rate", "burst":
		return numberOrText(text)
	case "deliveryTargetMs":
		if s, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", "."), 64); err == nil {
			return int(s * 1000)
		}
	}
	return text
}

// lines are the lines of a text that are not empty.
func lines(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// waits writes seconds as people do: "0, 5s, 2m, 1h".
func waits(all []int) string {
	var words []string
	for _, n := range all {
		switch {
		case n == 0:
			words = append(words, "0")
		case n%3600 == 0:
			words = append(words, strconv.Itoa(n/3600)+"h")
		case n%60 == 0:
			words = append(words, strconv.Itoa(n/60)+"m")
		default:
			words = append(words, strconv.Itoa(n)+"s")
		}
	}
	return strings.Join(words, ", ")
}

// seconds reads what waits writes; a word that it does not understand stays.
func seconds(text string) (all []any) {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		if d, err := time.ParseDuration(word); err == nil && d%time.Second == 0 {
			all = append(all, int(d/time.Second))
			continue
		}
		all = append(all, numberOrText(word))
	}
	return all
}

type chatbot struct{ ID, Name, CreatedAt string }

type chatbotsPage struct {
	Chatbots []chatbot
	Next     string
	Form     url.Values
}

// chatbots lists where leads come from.
func chatbots(v *visit) error {
	p := chatbotsPage{Form: v.form}
	next, err := v.list("/api/v1/chatbots", pick(v.r.URL.Query(), "cursor"), &p.Chatbots)
	if err != nil {
		return err
	}
	if next != "" {
		p.Next = "?" + url.Values{"cursor": {next}}.Encode()
	}
	return v.show("chatbots.html", "Chatbots", p)
}

func createChatbot(v *visit) error {
	err := v.send(http.MethodPost, "/api/v1/chatbots", map[string]any{"name": v.r.PostForm.Get("name")}, nil)
	if err != nil {
		return err
	}
	return v.done(chatbotsPath, "The chatbot was made.")
}

func chatbotPath(v *visit) string { return "/api/v1/chatbots/" + url.PathEscape(mux.Vars(v.r)["id"]) }

func showChatbot(v *visit) error {
	var c chatbot
	if err := v.get(chatbotPath(v), nil, &c); err != nil {
		return err
	}
	return v.show("chatbot.html", c.Name, c)
}

func renameChatbot(v *visit) error {
	err := v.send(http.MethodPatch, chatbotPath(v), map[string]any{"name": v.r.PostForm.Get("name")}, nil)
	if err != nil {
		return err
	}
	return v.done(chatbotsPath, "The chatbot was renamed.")
}

func deleteChatbot(v *visit) error {
	if err := v.send(http.MethodDelete, chatbotPath(v), nil, nil); err != nil {
		return err
	}
	return v.done(chatbotsPath, "The chatbot was deleted. Its leads stay.")
}
