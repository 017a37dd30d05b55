package form

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// members are the members of a JSON object in the making, in their order.
type members struct {
	list []member
	at   map[string]int // where each name is in list
}

// member is a member: its values as JSON, of which several make a list.
type member struct {
	name   string
	values [][]byte
}

// add adds a value.
func (m *members) add(name string, value []byte) {
	if m.at == nil {
		m.at = map[string]int{}
	}
	i, has := m.at[name]
	if !has {
		i = len(m.list)
		m.at[name] = i
		m.list = append(m.list, member{name: name})
	}
	m.list[i].values = append(m.list[i].values, value)
}

// object returns them as JSON.
func (m *members) object() []byte {
	b := []byte{'{'}
	for i, one := range m.list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quote(one.name)...), ':')
		b = append(b, one.json()...)
	}
	return append(b, '}')
}

func (m member) json() []byte {
	if len(m.values) == 1 {
		return m.values[0]
	}
	b := []byte{'['}
	for i, v := range m.values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

func quote(text string) []byte {
	b, _ := jsontext.AppendQuote(nil, text) // what is not UTF-8 becomes U+FFFD
	return b
}

// isSecret reports whether a field is called like a password, a card or the token of a page: what pages send along that
// nobody who reads leads is to have.
func isSecret(name string) bool {
	joined := strings.Join(nameWords(name), "")
	for _, word := range []string{"password", "passwd", "passwort", "kennwort", "motdepasse", "contrasena", "contraseña",
		"senha", "wachtwoord", "lösenord", "haslo", "hasło", "parola", "пароль", "パスワード", "密码", "비밀번호"} {
		if strings.HasPrefix(joined, word) || strings.HasSuffix(joined, word) {
			return true
		}
	}
	return slices.Contains([]string{"pwd", "csrf", "csrftoken", "xsrftoken", "csrfmiddlewaretoken", "authenticitytoken",
		"requestverificationtoken", "wpnonce", "cardnumber", "creditcard", "creditcardnumber",
		"ccnumber", "cvc", "cvv", "cardcvc", "cardcvv"}, joined)
}
