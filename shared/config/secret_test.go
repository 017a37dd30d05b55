package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"leadgate/shared/config"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "hush-hush"
	type holder struct {
		Token  config.Secret
		Nested []config.Secret
		Named  map[string]config.Secret
	}
	h := holder{text, []config.Secret{text}, map[string]config.Secret{"a": text}}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %v", h, h, h, h, h, h.Token, &h)
	marshalled, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "config", h, "token", h.Token)
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "config", h, "token", h.Token)
	for _, got := range []string{shown, string(marshalled), log.String(), fmt.Sprint(fmt.Errorf("bad token %v",
		h.Token))} {
		if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) {
			t.Errorf("the secret is printed: %s", got)
		}
		if !strings.Contains(got, "***") && !strings.Contains(got, fmt.Sprintf("%x", "***")) {
			t.Errorf("nothing shows that there is a secret: %s", got)
		}
	}
	if got := h.Token.Reveal(); got != text {
		t.Errorf("Reveal() = %q, want %q", got, text)
	}
	if got := fmt.Sprint(config.Secret("")); got != "" {
		t.Errorf("an empty secret is shown as %q, want nothing", got)
	}
}
