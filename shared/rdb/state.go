package rdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// State is how Redis does what we need of it. The zero value is well.
type State struct {
	Down, Nodes int    // of a cluster, how many masters do nothing for us
	Mistake     string // what is wrong with the settings, ours or the server's, as a sentence; "": they are not why
	Err         error  // nil: all is well
}

// OK reports whether all is well.
func (s State) OK() bool { return s.Err == nil }

// Some reports whether a part of it may answer.
func (s State) Some() bool { return s.OK() || s.Down < s.Nodes }

// String is the state in a few words, without an address or a user.
func (s State) String() string {
	switch {
	case s.OK():
		return "ok"
	case s.Mistake != "":
		return "misconfigured: " + strings.TrimSuffix(s.Mistake, ".")
	case s.Nodes > 1:
		return fmt.Sprintf("away: %d of %d nodes", s.Down, s.Nodes)
	}
	return "away"
}

// startTime is how long a process that starts waits for Redis.
const startTime = 2 * time.Second

// LogState says in log what is wrong with Redis, if something is: a mistake, which somebody has to mend, as an error.
func LogState(ctx context.Context, log *slog.Logger, c redis.UniversalClient, fallback string) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if s := Ready(ctx, c); !s.OK() {
		args := []any{"fallback", fallback}
		if errors.Is(cause(s.Err), io.EOF) {
			args = append(args, "hint", "a Redis that speaks only TLS ends connections like this; rediss:// is TLS")
		}
		logState(ctx, log, s, args...)
	}
}

func logState(ctx context.Context, log *slog.Logger, s State, args ...any) {
	level, text := slog.LevelWarn, "redis unavailable"
	if s.Mistake != "" {
		level, text = slog.LevelError, "redis misconfigured"
		args = append(args, "mistake", s.Mistake)
	}
	log.Log(ctx, level, text, append(args, "error", cause(s.Err).Error())...)
}

// cause is what a breaker keeps callers away for.
func cause(err error) error {
	var open *openError
	if errors.As(err, &open) {
		return open.cause
	}
	return err
}

// readyScript does what we do: it writes a key of ours and reads one of asynq's.
//
//	KEYS[1]  ours
//	returns  1
var readyScript = redis.NewScript(`redis.call('SET', KEYS[1], '1', 'PX', 10000) return 1`)

// queueScript reads the list of a queue.
//
//	KEYS[1]  pending tasks
//	returns  how many there are
var queueScript = redis.NewScript(`return redis.call('LLEN', KEYS[1])`)

// Ready asks for what is needed: a script that writes a key, at each master of a cluster, and one that reads a queue.
func Ready(ctx context.Context, c redis.UniversalClient) State {
	keys, err := readyKeys(ctx, c)
	if err != nil {
		return stateOf(err)
	}
	ops := []op{{queueScript, []string{pendingKey("webhook")}, nil}}
	for _, key := range keys {
		ops = append(ops, op{readyScript, []string{key}, nil})
	}
	cmds := runAll(ctx, c, ops)
	s := stateOf(cmds[0].Err())
	for _, cmd := range cmds[1:] {
		if err := cmd.Err(); err != nil {
			s.Down++
			if one := stateOf(err); s.Err == nil || s.Mistake == "" {
				s.Err, s.Mistake = one.Err, one.Mistake
			}
		}
	}
	s.Nodes = len(keys)
	return s
}

// readyKeys returns a key for each master.
func readyKeys(ctx context.Context, c redis.UniversalClient) ([]string, error) {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok {
		return []string{readyKey(0)}, nil
	}
	missing := make(chan string, slots)
	err := cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		missing <- node.Options().Addr
		return nil
	})
	if err != nil {
		return nil, err
	}
	masters := map[string]bool{}
	for range len(missing) {
		masters[<-missing] = true
	}
	var keys []string
	for n := 0; len(masters) > 0 && n < slots; n++ {
		node, err := cluster.MasterForKey(ctx, readyKey(n))
		if err != nil {
			return nil, err
		}
		if addr := node.Options().Addr; masters[addr] {
			keys = append(keys, readyKey(n))
			delete(masters, addr)
		}
	}
	return keys, nil
}

// stateOf tells a mistake in the settings from an outage.
func stateOf(err error) State {
	s := State{Err: err}
	if err == nil {
		return s
	}
	failed := cause(err)
	starts := func(prefix string) bool { return redis.HasErrorPrefix(failed, prefix) }
	says := func(text string) bool { return strings.Contains(failed.Error(), text) }
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case starts("WRONGPASS"), starts("invalid password"):
		s.Mistake = "Redis refuses the user or the password of REDIS_URL."
	case starts("NOAUTH"):
		s.Mistake = "Redis asks for a password and REDIS_URL has none."
	case starts("AUTH"):
		s.Mistake = "REDIS_URL has a password and Redis is set to none."
	case starts("DENIED"):
		s.Mistake = "Redis is in protected mode: it has no password and takes nobody from another machine."
	case starts("NOPERM"), says("NOPERM"), says("can't run this command"), says("can't access"):
		s.Mistake = "The user of REDIS_URL may not do all that is needed; shared/deploy/OPERATIONS.md, Redis, has the rules of its ACL."
	case starts("MOVED"), starts("SELECT is not allowed in cluster mode"), starts("CROSSSLOT"):
		s.Mistake = "This Redis is a cluster: put ?cluster=true at the end of REDIS_URL, whose database must be 0."
	case starts("DB index is out of range"):
		s.Mistake = "Redis does not have the database that REDIS_URL names."
	case starts("This instance has cluster support disabled"):
		s.Mistake = "REDIS_URL names a cluster and this Redis is none."
	case starts("unknown command"):
		s.Mistake = "This does not speak all of Redis; a Sentinel needs redis-sentinel://host:26379/master."
	case !isReply(failed) && errors.Is(failed, redis.Nil):
		s.Mistake = "The sentinels of REDIS_URL do not know the master that it names."
	case errors.As(failed, &authority):
		s.Mistake = "The certificate of Redis is of an authority that is not known here: set LEADGATE_REDIS_CA_FILE."
	case errors.As(failed, &name):
		s.Mistake = "The certificate of Redis is for other names than REDIS_URL has."
	case errors.As(failed, &invalid):
		s.Mistake = "The certificate of Redis is not valid."
	case errors.As(failed, &record):
		s.Mistake = "Redis does not speak TLS at this port: write redis:// instead of rediss://."
	case says("remote error: tls:"):
		s.Mistake = "Redis refuses our certificate, or wants one: set LEADGATE_REDIS_CERT_FILE and LEADGATE_REDIS_KEY_FILE."
	}
	return s
}
