package admintoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// Bounds of the setting.
const (
	minLength = 16 // characters of a token
	maxTokens = 32
)

// unnamed is the name of tokens that the setting gives none.
const unnamed = "admin"

// Token is one of the setting's.
type Token struct {
	Name       string // whose it is
	SessionKey []byte // signs the sessions that it opens
	sum        [sha256.Size]byte
}

var (
	name     = regexp.MustCompile(`^[a-z][a-z0-9._-]{0,31}$`)
	nextName = regexp.MustCompile(`[,;][A-Za-z0-9._-]+=[^=]`)
)

// Check returns what is wrong with the setting's text, which is one or more tokens between white space, each as
// name=token or without a name; "" when nothing is. It never repeats a token.
func Check(text string) string {
	_, wrong := parse(text)
	return wrong
}

// parse reads the setting. A name may have several tokens, while its token is changed; two names may not have the same.
func parse(text string) (tokens []Token, wrong string) {
	fields := strings.Fields(text)
	if len(fields) > maxTokens {
		return nil, fmt.Sprintf("must be at most %d tokens", maxTokens)
	}
	owners := map[string]string{}
	for i, field := range fields {
		owner, token, wrong := split(i, field)
		if wrong == "" {
			wrong = checkToken(owner, token)
		}
		if other, taken := owners[token]; wrong == "" && taken && other != owner {
			wrong = fmt.Sprintf("gives %s and %s the same token", other, owner)
		}
		if wrong != "" {
			return nil, wrong
		}
		owners[token] = owner
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("leadgate admin session"))
		tokens = append(tokens, Token{owner, mac.Sum(nil), sha256.Sum256([]byte(token))})
	}
	if len(tokens) == 0 {
		return nil, fmt.Sprintf("must have at least %d characters", minLength)
	}
	return tokens, ""
}

// split returns whose token a field of the setting is. The = at the end of base64 ends no name.
func split(i int, field string) (owner, token, wrong string) {
	before, after, named := strings.Cut(field, "=")
	switch {
	case !named || isCommand(field):
		return unnamed, field, ""
	case name.MatchString(before):
		return before, after, ""
	case strings.Trim(after, "=") == "":
		return unnamed, field, ""
	}
	return "", "", fmt.Sprintf("has a name before the = of token %d that is no name: it must begin with one of a to z, "+
		"and have at most 32 of a to z, 0 to 9, '.', '_' and '-'", i+1)
}

func checkToken(owner, token string) string {
	switch {
	case isCommand(token):
		return "is a command that no shell has run; put in what it prints"
	case nextName.MatchString(token):
		return fmt.Sprintf("has tokens behind that of %s that no white space separates", owner)
	case len(token) < minLength && owner == unnamed:
		return fmt.Sprintf("must have at least %d characters, of each token where there are several", minLength)
	case len(token) < minLength:
		return fmt.Sprintf("must have at least %d characters of the token of %s", minLength, owner)
	}
	return ""
}

// isCommand reports whether a value is shell text, such as $(openssl rand -hex 24): a file of settings is read by no
// shell, and everybody who has read the manual would know such a token.
func isCommand(value string) bool {
	return strings.HasPrefix(value, "$(") || strings.HasPrefix(value, "${") || strings.HasPrefix(value, "`")
}
