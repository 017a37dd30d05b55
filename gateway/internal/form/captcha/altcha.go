package captcha

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"time"

	"leadgate/shared/id"
)

// Bounds of a proof of work.
const (
	ChallengeTTL   = 10 * time.Minute
	challengeSkew  = 2 * time.Second // between the clocks of gateways
	workAlgorithm  = "SHA-256"
	challengeBytes = 12 // of randomness in a salt
)

// workSalt is what a salt of ours looks like. Its end keeps digits of the number from passing for some of the time.
var workSalt = regexp.MustCompile(`^[0-9a-f]{24}\?expires=([0-9]{1,12})&$`)

// Challenge is a proof of work in the protocol of ALTCHA (version 1), so that its widget works too: find the number, up
// to MaxNumber, which after the salt hashes to Challenge.
type Challenge struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	MaxNumber int    `json:"maxnumber"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// solution is what a browser sends back, as JSON in base64.
type solution struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	Number    *int64 `json:"number"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// NewChallenge makes a challenge of a form, which is good for ChallengeTTL and for that form only. A browser tries half
// of difficulty on average.
func NewChallenge(key []byte, form id.UUID, difficulty int, now time.Time) Challenge {
	random := make([]byte, challengeBytes)
	rand.Read(random)                                                     // never fails
	number, err := rand.Int(rand.Reader, big.NewInt(int64(difficulty)+1)) // nor this
	if err != nil {
		panic(err)
	}
	salt := hex.EncodeToString(random) + "?expires=" + strconv.FormatInt(now.Add(ChallengeTTL).Unix(), 10) + "&"
	challenge := workHash(salt, number.Int64())
	return Challenge{workAlgorithm, challenge, difficulty, salt, workSignature(key, form, challenge)}
}

func workHash(salt string, number int64) string {
	sum := sha256.Sum256(strconv.AppendInt([]byte(salt), number, 10))
	return hex.EncodeToString(sum[:])
}

func workSignature(key []byte, form id.UUID, challenge string) string {
	h := hmac.New(sha256.New, key)
	h.Write(form[:])
	h.Write([]byte(challenge))
	return hex.EncodeToString(h.Sum(nil))
}

// Work is what proofs of work are verified with.
type Work struct {
	Now func() time.Time
	Key func(context.Context) []byte // signs challenges; none: it cannot be read at the moment
	// Spend reports whether it is the first time that a challenge of a workspace is used, which is remembered for so long
	Spend func(ctx context.Context, workspace id.UUID, challenge string, remember time.Duration) bool
}

// altcha verifies proofs of work itself.
type altcha struct{ Work }

func (v altcha) Verify(ctx context.Context, q Question) (Answer, error) {
	key := v.Key(ctx)
	if key == nil {
		return Answer{Verdict: Unavailable}, errors.New("the installation's secret cannot be read")
	}
	no := func(reason string) (Answer, error) { return Answer{Verdict: NotHuman}, errors.New(reason) }
	var s solution
	text, err := base64.StdEncoding.DecodeString(q.Token)
	if err != nil || json.Unmarshal(text, &s) != nil || s.Number == nil || *s.Number < 0 || s.Algorithm != workAlgorithm {
		return no("it is no solution")
	}
	salt := workSalt.FindStringSubmatch(s.Salt)
	switch {
	case salt == nil:
		return no("the salt is not ours")
	case workHash(s.Salt, *s.Number) != s.Challenge:
		return no("the number does not solve the challenge")
	case !hmac.Equal([]byte(workSignature(key, q.Form, s.Challenge)), []byte(s.Signature)):
		return no("the challenge is not of this form")
	}
	seconds, err := strconv.ParseInt(salt[1], 10, 64)
	left := time.Unix(seconds, 0).Sub(v.Now())
	switch {
	case err != nil || left < 0:
		return no("the challenge has expired")
	case !v.Spend(ctx, q.Workspace, s.Challenge, left+challengeSkew):
		return no("the challenge was used before")
	}
	return Answer{Verdict: Human}, nil
}
