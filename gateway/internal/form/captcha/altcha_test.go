package captcha_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form/captcha"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// solved is what a browser makes of a challenge, before it is put into base64.
func solved(t *testing.T, c captcha.Challenge) map[string]any {
	t.Helper()
	for n := 0; n <= c.MaxNumber; n++ {
		sum := sha256.Sum256([]byte(c.Salt + strconv.Itoa(n)))
		if hex.EncodeToString(sum[:]) == c.Challenge {
			return map[string]any{"algorithm": c.Algorithm, "challenge": c.Challenge, "number": n, "salt": c.Salt,
				"signature": c.Signature, "took": 12}
		}
	}
	t.Fatalf("challenge %+v has no solution", c)
	return nil
}

func packed(t *testing.T, solution map[string]any) string {
	t.Helper()
	text, err := json.Marshal(solution)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

func TestWork(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	key, form, workspace := []byte("a key of an installation"), id.New(), id.New()
	spent := map[string]time.Duration{}
	verifier := captcha.Verifiers("", 8, captcha.Work{
		Now: func() time.Time { return now },
		Key: func(context.Context) []byte { return key },
		Spend: func(_ context.Context, of id.UUID, challenge string, remember time.Duration) bool {
			_, again := spent[challenge]
			spent[challenge] = remember
			return !again && of == workspace
		},
	})[tenant.Altcha]
	verify := func(token string) captcha.Verdict {
		got, err := verifier.Verify(t.Context(), captcha.Question{Token: token, Workspace: workspace, Form: form})
		if (err == nil) != (got.Verdict == captcha.Human) {
			t.Errorf("Verify() = %+v, %v, want a reason for all but Human", got, err)
		}
		if err != nil && len(token) > 20 && strings.Contains(err.Error(), token[:20]) {
			t.Errorf("the reason %q holds something of the question", err)
		}
		return got.Verdict
	}
	fresh := func() captcha.Challenge { return captcha.NewChallenge(key, form, 500, now) }
	good := solved(t, fresh())
	with := func(name string, value any) string {
		s := maps.Clone(good)
		s[name] = value
		return packed(t, s)
	}
	// Digits that moved between the salt and the number hash to the same.
	number := strconv.Itoa(good["number"].(int))
	moved := maps.Clone(good)
	moved["salt"], moved["number"] = good["salt"].(string)+number[:1], 0
	if n, err := strconv.Atoi(number[1:]); err == nil {
		moved["number"] = n
	}
	other := solved(t, captcha.NewChallenge(key, id.New(), 500, now))
	forged := solved(t, captcha.NewChallenge([]byte("another key"), form, 500, now))
	for name, token := range map[string]string{
		"nothing": "", "no base64": "§", "no JSON": base64.StdEncoding.EncodeToString([]byte("x")),
		"an empty object": packed(t, map[string]any{}), "another number": with("number", 501),
		"a negative number": with("number", -1), "no number": with("number", nil), "a text for a number": with("number", number),
		"another algorithm": with("algorithm", "SHA-1"), "a signature of none": with("signature", ""),
		"another salt": with("salt", strings.Replace(good["salt"].(string), "expires=1", "expires=2", 1)),
		"moved digits": packed(t, moved), "another form's": packed(t, other), "another installation's": packed(t, forged),
	} {
		if got := verify(token); got != captcha.NotHuman {
			t.Errorf("%s: verdict %d, want NotHuman", name, got)
		}
	}
	if len(spent) > 0 {
		t.Errorf("wrong solutions were remembered: %v", spent)
	}
	if got := verify(packed(t, good)); got != captcha.Human {
		t.Errorf("a solution: verdict %d, want Human", got)
	}
	if remember := spent[good["challenge"].(string)]; remember < captcha.ChallengeTTL || remember > captcha.ChallengeTTL+time.Minute {
		t.Errorf("a solution is remembered for %v, want as long as it is good", remember)
	}
	if got := verify(packed(t, good)); got != captcha.NotHuman {
		t.Errorf("the same again: verdict %d, want NotHuman", got)
	}
	late := packed(t, solved(t, fresh()))
	now = now.Add(captcha.ChallengeTTL + time.Second)
	if got := verify(late); got != captcha.NotHuman {
		t.Errorf("after its time: verdict %d, want NotHuman", got)
	}
	key = nil
	if got := verify(late); got != captcha.Unavailable {
		t.Errorf("without a key: verdict %d, want Unavailable", got)
	}
}

// The number that a browser looks for can be anything up to the difficulty, and a salt leaves it one block to hash.
func TestChallenge(t *testing.T) {
	t.Parallel()
	lowest, highest := 1<<30, 0
	for range 200 {
		c := captcha.NewChallenge([]byte("key"), id.New(), 20, time.Now())
		n := solved(t, c)["number"].(int)
		lowest, highest = min(lowest, n), max(highest, n)
		if len(c.Salt) > 47 || c.MaxNumber != 20 {
			t.Fatalf("challenge = %+v, want a salt of at most 47 bytes", c)
		}
	}
	if lowest > 2 || highest < 18 || highest > 20 {
		t.Errorf("numbers from %d to %d, want 0 to 20", lowest, highest)
	}
}
