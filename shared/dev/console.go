package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"leadgate/shared/devstack"
)

// console writes whole lines of many parts, each after its part's name.
type console struct {
	out    io.Writer
	colour bool

	mu   sync.Mutex
	seen []string // the parts, each of which has the colour of its place here
}

func newConsole(out io.Writer, getenv func(string) string) *console {
	c := &console{out: out}
	if f, ok := out.(*os.File); ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" {
		info, err := f.Stat()
		c.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return c
}

// nameWidth fits "worker.10".
const nameWidth = 9

// palette has colours that can be read on light and dark ground: cyan, magenta, green, blue, yellow.
var palette = [...]int{36, 35, 32, 34, 33}

func (c *console) line(name string, text []byte) {
	head := fmt.Sprintf("%-*s | ", nameWidth, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.colour {
		at := slices.Index(c.seen, name)
		if at < 0 {
			at = len(c.seen)
			c.seen = append(c.seen, name)
		}
		head = fmt.Sprintf("\x1b[%dm%s\x1b[0m", palette[at%len(palette)], head)
	}
	fmt.Fprintf(c.out, "%s%s\n", head, text)
}

func (c *console) say(format string, args ...any) {
	c.line("dev", fmt.Appendf(nil, format, args...))
}

// part is the writer of one part's output.
func (c *console) part(name string) io.Writer { return &lines{console: c, name: name} }

// takes shows what a system says, but for the stores, which have files of their own.
func (c *console) takes(opt *devstack.SystemOptions, l logs) {
	opt.Say = func(what string) { c.say("%s", what) }
	opt.Output = func(name string) io.Writer {
		if f := l.file(name); f != nil {
			return f
		}
		return c.part(name)
	}
}

// lines cuts what is written into lines; exec writes to it from one goroutine.
type lines struct {
	*console
	name string
	rest []byte
}

// maxLine is where a line without an end is cut.
const maxLine = 64 << 10

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found && len(l.rest) < maxLine {
			return len(b), nil
		}
		l.line(l.name, bytes.TrimRight(line, "\r"))
		l.rest = rest
	}
}

// banner says where everything is. The curl line stands alone, so that it can be copied as it is.
func (c *console) banner(s *devstack.System, envFile, link, webhooks string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, `
leadgate is ready. Ctrl-C stops it.

  Console           %s
                    opens it once; Enter makes another link
  API               %s
  Documentation     %s/docs
  Administration    %s/admin/
  Queue dashboard   %s/admin/queues
  Admin token       %s
  Webhooks          %s
  All of this       %s

Create a lead (again: 409 with the first one's id):

%s

`, link, s.URL, s.URL, s.AdminURL, s.AdminURL, s.AdminToken, webhooks, envFile, curl(s))
}

// curl is one line of sh. Its address is new at each start, so that it answers 201 also where data was kept.
func curl(s *devstack.System) string {
	email := "ada-" + strings.ToLower(rand.Text()[:6]) + "@example.com"
	return fmt.Sprintf(
		`curl -i '%s/api/v1/chatbots/%s/leads' -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"email":"%s","name":"Ada Lovelace","metadata":{"page":"/pricing"}}'`,
		s.URL, s.ChatbotID, s.Key, email)
}

// writeEnv writes the dotenv file, which sh can read as well.
func writeEnv(path string, s *devstack.System) error {
	var text strings.Builder
	for _, v := range [][2]string{
		{"LEADGATE_URL", s.URL}, {"LEADGATE_ADMIN_URL", s.AdminURL}, {"LEADGATE_ADMIN_TOKEN", s.AdminToken},
		{"LEADGATE_SECRET_KEYS", s.SecretKeys},
		{"LEADGATE_KEY", s.Key}, {"LEADGATE_CHATBOT_ID", s.ChatbotID}, {"LEADGATE_WORKSPACE_ID", s.WorkspaceID},
		{"LEADGATE_WORKER_URL", s.WorkerURL}, {"DATABASE_URL", s.DatabaseURL}, {"REDIS_URL", s.RedisURL},
	} {
		fmt.Fprintf(&text, "%s=%s\n", v[0], quote(v[1]))
	}
	return devstack.WriteFile(path, []byte(text.String()))
}

// quote quotes for sh where it must.
func quote(value string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%?=,+-", r)
	}
	if strings.IndexFunc(value, special) < 0 {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// logs are the stores' files: they say much, and seldom what one wants to read between requests.
type logs map[string]*os.File

func openLogs(dir string) (logs, error) {
	l := logs{}
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o755); err != nil {
		return nil, err
	}
	for _, store := range []string{"postgres", "redis"} {
		f, err := os.Create(filepath.Join(dir, "log", store+".log"))
		if err != nil {
			l.close()
			return nil, err
		}
		l[store] = f
	}
	return l, nil
}

// file returns nil for a part that has none.
func (l logs) file(name string) *os.File { return l[name] }

func (l logs) close() {
	for _, f := range l {
		f.Close()
	}
}

// startedByGoRun reports whether this program lies where go run puts it.
func startedByGoRun() bool {
	program, err := os.Executable()
	return err == nil && strings.Contains(program, string(filepath.Separator)+"go-build")
}
