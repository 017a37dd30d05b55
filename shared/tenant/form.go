package tenant

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
)

// Limits of a Form.
const (
	MaxOrigins       = 50
	MaxFormURL       = 2048      // bytes of a redirect
	MaxFormSource    = 100       // characters
	MaxHoneypot      = 64        // characters
	MaxFillMS        = 600_000   // ten minutes
	MaxFormRate      = 1_000_000 // submissions a minute
	MaxPoints        = 1000      // of suspectAt and holdAt
	MaxHeldPerDay    = 100_000   // submissions
	MaxCaptchaSecret = 200       // characters
	minDifficulty    = 1_000     // of a proof of work; MaxDifficulty is ten times what a phone should do
	MaxDifficulty    = 5_000_000
	maxFormJSON      = 32 << 10 // bytes
	maxChatbotID     = 64       // characters; more are no id
	maxLang          = 10       // characters; more are no language
	maxThanksText    = 500      // characters
	maxBackText      = 100      // characters
)

// What the choices of a Form can be.
const (
	AppendDuplicate = "append" // the lead that has the email gets what it has not, and lead.submitted tells of the rest
	UpdateDuplicate = "update" // it takes what the form says
	IgnoreDuplicate = "ignore" // it stays as it is, and nobody hears of it

	Turnstile = "turnstile"
	HCaptcha  = "hcaptcha"
	ReCaptcha = "recaptcha"
	Altcha    = "altcha" // a proof of work, which needs nobody else

	AcceptOutage = "accept"
	RefuseOutage = "refuse"
)

var captchas = []string{Turnstile, HCaptcha, ReCaptcha, Altcha}

var formFields = []string{
	"chatbotId", "origins", "redirectUrl", "source", "honeypot", "minFillMs", "onDuplicate",
	"suspectAt", "holdAt", "maxHeldPerDay",
	"captcha", "captchaSecret", "captchaOutage", "captchaMinScore", "captchaDifficulty",
	"requireToken", "perMinute", "perMinuteIp",
	"preset", "fields", "ignore",
	"lang", "brand", "thanksText", "backUrl", "backText",
}

// ReadForm reads the current member of in, "form", over old, and adds its mistakes to in. An absent member stays as it
// is, and null is the default. The caller checks that the chatbot exists.
func ReadForm(in *strictjson.Reader, old Form) Form {
	object := in.Object(maxFormJSON, 3)
	if object == nil {
		return old
	}
	f, r := old, strictjson.NewReader(object, formFields)
	secretGiven := false
	for r.Next() {
		switch r.Name() {
		case "chatbotId":
			f.ChatbotID = r.Text(maxChatbotID)
		case "origins":
			f.Origins = r.Texts(MaxOrigins, MaxFormURL)
		case "redirectUrl":
			f.RedirectURL = r.Text(MaxFormURL)
		case "source":
			f.Source = r.Text(MaxFormSource)
		case "honeypot":
			f.Honeypot = r.Text(MaxHoneypot)
		case "minFillMs":
			f.MinFillMS = r.Integer(0, MaxFillMS)
		case "onDuplicate":
			f.OnDuplicate = r.Choice([]string{AppendDuplicate, UpdateDuplicate, IgnoreDuplicate})
		case "suspectAt":
			f.SuspectAt = readPoints(r)
		case "holdAt":
			f.HoldAt = readPoints(r)
		case "maxHeldPerDay":
			f.MaxHeldPerDay = r.Integer(1, MaxHeldPerDay)
		case "captcha":
			f.Captcha = r.Choice(captchas)
		case "captchaSecret":
			f.CaptchaSecret, secretGiven = r.Secret(checkCaptchaSecret), r.Given()
		case "captchaOutage":
			f.CaptchaOutage = r.Choice([]string{AcceptOutage, RefuseOutage})
		case "captchaMinScore":
			f.CaptchaMinScore = readScore(r)
		case "captchaDifficulty":
			f.CaptchaDifficulty = r.Integer(minDifficulty, MaxDifficulty)
		case "requireToken":
			f.RequireToken = r.Bool()
		case "perMinute":
			f.PerMinute = r.Integer(1, MaxFormRate)
		case "perMinuteIp":
			f.PerMinuteIP = r.Integer(1, MaxFormRate)
		case "preset":
			f.Preset = r.Text(MaxName)
		case "fields":
			f.Fields = readFields(r)
		case "ignore":
			f.Ignore = r.Texts(maxIgnored, maxPath)
		default:
			f.readLook(r)
		}
	}
	if f.Captcha != old.Captcha && !secretGiven {
		f.CaptchaSecret = "" // of another verifier, or of none
	}
	if f.Captcha != old.Captcha || secretGiven {
		f.Unreadable = nil
	}
	wrong, more := r.Wrong()
	for i := range wrong {
		wrong[i].Field, wrong[i].Pointer = "form."+wrong[i].Field, fault.Truncate("/form"+wrong[i].Pointer)
	}
	typed := len(wrong)
	for _, w := range f.Check() {
		if !slices.ContainsFunc(wrong[:typed], func(told fault.Field) bool { return told.Field == w.Field }) {
			wrong = append(wrong, w)
		}
	}
	in.Add(wrong...)
	in.AddMore(more)
	return f
}

// readScore reads a number from 0 to 1; nil: the default.
func readScore(r *strictjson.Reader) *float64 {
	if !r.Given() {
		return nil
	}
	score, ok := r.Number(0, 1)
	if !ok {
		return nil
	}
	return &score
}

// readPoints reads a number of points; nil: the default.
func readPoints(r *strictjson.Reader) *int {
	if !r.Given() {
		return nil
	}
	n := r.Integer(0, MaxPoints)
	return &n
}

func checkCaptchaSecret(text string) string {
	if n := utf8.RuneCountInString(text); n == 0 || n > MaxCaptchaSecret || strings.ContainsFunc(text, invisible) {
		return fmt.Sprintf("Must be the verifier's secret, 1 to %d visible characters", MaxCaptchaSecret)
	}
	return ""
}

func invisible(r rune) bool { return r <= ' ' || r >= 0x7F }

// Check returns every mistake in f. Zero fields mean their default. The mistakes do not repeat a captcha's secret.
func (f Form) Check() (wrong []fault.Field) {
	refuse := func(name, below string, value any, format string, args ...any) {
		wrong = append(wrong, fault.Field{
			Field: "form." + name, Pointer: "/form/" + name + below, Value: value, Message: fmt.Sprintf(format, args...),
		})
	}
	if f.ChatbotID != "" {
		if _, err := id.Chatbot.Parse(f.ChatbotID); err != nil {
			refuse("chatbotId", "", fault.Truncate(f.ChatbotID), "%s", id.Chatbot.Rule())
		}
	}
	for _, w := range CheckOrigins(f.Origins) {
		refuse("origins", w.Pointer, w.Value, "%s", w.Message)
	}
	if f.RedirectURL != "" {
		if _, ok := ParseOrigin(f.RedirectURL); !ok || len(f.RedirectURL) > MaxFormURL {
			refuse("redirectUrl", "", fault.Truncate(f.RedirectURL),
				"Must be a complete http or https URL of at most %d bytes, without a user name", MaxFormURL)
		}
	}
	if utf8.RuneCountInString(f.Source) > MaxFormSource {
		refuse("source", "", fault.Truncate(f.Source), "Must be at most %d characters", MaxFormSource)
	}
	if f.Honeypot != "" && !goodHoneypot(f.Honeypot) {
		refuse("honeypot", "", fault.Truncate(f.Honeypot),
			"Must be 1 to %d visible characters, and not the name of a field of a lead or of the form itself", MaxHoneypot)
	}
	for _, n := range []struct {
		name    string
		value   int
		highest int
	}{
		{"minFillMs", f.MinFillMS, MaxFillMS}, {"maxHeldPerDay", f.MaxHeldPerDay, MaxHeldPerDay},
		{"perMinute", f.PerMinute, MaxFormRate}, {"perMinuteIp", f.PerMinuteIP, MaxFormRate},
	} {
		if n.value < 0 || n.value > n.highest {
			refuse(n.name, "", n.value, "Must be a whole number between 1 and %d", n.highest)
		}
	}
	for name, n := range map[string]*int{"suspectAt": f.SuspectAt, "holdAt": f.HoldAt} {
		if n != nil && (*n < 0 || *n > MaxPoints) {
			refuse(name, "", *n, "Must be a whole number from 0, which is never, to %d", MaxPoints)
		}
	}
	if s := f.CaptchaMinScore; s != nil && !(*s >= 0 && *s <= 1) {
		refuse("captchaMinScore", "", *s, "Must be a number from 0 to 1")
	}
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"onDuplicate", f.OnDuplicate, []string{AppendDuplicate, UpdateDuplicate, IgnoreDuplicate}},
		{"captcha", f.Captcha, captchas},
		{"captchaOutage", f.CaptchaOutage, []string{AcceptOutage, RefuseOutage}},
	} {
		if c.value != "" && !slices.Contains(c.allowed, c.value) {
			refuse(c.name, "", fault.Truncate(c.value), "Must be one of: %s", strings.Join(c.allowed, ", "))
		}
	}
	if d := f.CaptchaDifficulty; d != 0 && (d < minDifficulty || d > MaxDifficulty) {
		refuse("captchaDifficulty", "", d, "Must be a whole number between %d and %d", minDifficulty, MaxDifficulty)
	}
	switch {
	case f.Captcha == Altcha && f.CaptchaSecret != "":
		refuse("captchaSecret", "", nil, "Must not be given with altcha, which asks no other verifier")
	case f.Captcha != "" && f.Captcha != Altcha && f.CaptchaSecret == "" && f.Unreadable == nil:
		refuse("captchaSecret", "", nil, "Must be given with captcha: the verifier asks for it")
	case f.Captcha == "" && f.CaptchaSecret != "":
		refuse("captchaSecret", "", nil, "Must be given together with captcha")
	}
	return slices.Concat(wrong, f.checkMapping(), f.checkLook())
}

func goodHoneypot(name string) bool {
	switch strings.ToLower(name) {
	case FormNext, FormElapsed, FormPage, FormToken:
		return false
	}
	if IsCaptchaField(strings.ToLower(name)) {
		return false
	}
	visible := !strings.ContainsFunc(name, invisible)
	return visible && utf8.RuneCountInString(name) <= MaxHoneypot && !IsLeadField(name)
}

// WithDefaults returns f with every zero field filled in.
func (f Form) WithDefaults() Form {
	if f.Source == "" {
		f.Source = DefaultFormSource
	}
	if f.Honeypot == "" {
		f.Honeypot = DefaultHoneypot
	}
	if f.OnDuplicate == "" {
		f.OnDuplicate = AppendDuplicate
	}
	if f.CaptchaOutage == "" {
		f.CaptchaOutage = AcceptOutage
	}
	if f.CaptchaMinScore == nil {
		score := float64(DefaultCaptchaScore)
		f.CaptchaMinScore = &score
	}
	if f.CaptchaDifficulty == 0 && f.Captcha == Altcha {
		f.CaptchaDifficulty = DefaultDifficulty
	}
	if f.SuspectAt == nil {
		points := DefaultSuspectAt
		f.SuspectAt = &points
	}
	if f.HoldAt == nil {
		points := DefaultHoldAt
		f.HoldAt = &points
	}
	if f.MaxHeldPerDay == 0 {
		f.MaxHeldPerDay = DefaultMaxHeldPerDay
	}
	if f.PerMinute == 0 {
		f.PerMinute = DefaultFormPerMinute
	}
	if f.PerMinuteIP == 0 {
		f.PerMinuteIP = DefaultFormPerMinuteIP
	}
	return f
}
