package main

import (
	"bytes"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
)

func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// A shell that has read DIR/env of a session that is over starts the next one as any other shell does.
func TestLeftOverURLs(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	args := []string{"-dir", dir, "-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0"}
	_, stop := session(t, args...)
	first := dotenv(t, dir)
	stop()
	info, err := os.Stat(filepath.Join(dir, "stores"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("DIR/stores = %v, %v, want mode 0600", info, err)
	}
	for range 2 { // the URLs of the session before the last one too
		out, stop := sessionIn(t, lookup(first), args...)
		now := dotenv(t, dir)
		stop()
		for _, name := range []string{"DATABASE_URL", "REDIS_URL"} {
			if !strings.Contains(out.String(), name+" is left over") || now[name] == first[name] {
				t.Errorf("%s = %s after %s; want it ignored, and to be told so:\n%s", name, now[name], first[name], out)
			}
		}
		if now["LEADGATE_KEY"] != first["LEADGATE_KEY"] {
			t.Error("the kept data is not used")
		}
	}
}

// A given store that does not answer, or whose URL is none, ends dev at once, and no password is shown.
func TestBadStores(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	for name, tc := range map[string]struct{ variable, value, want string }{
		"no Postgres": {"DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable",
			"127.0.0.1:1 does not answer"},
		"a silent Postgres": {"DATABASE_URL", "postgres://u:hunter2@" + mute.Addr().String() + "/x?sslmode=disable",
			"does not answer"},
		"password in the query": {"DATABASE_URL", "postgres://127.0.0.1:1/x?sslmode=disable&user=u&password=hunter2",
			"does not answer"},
		"keywords":                  {"DATABASE_URL", "host=127.0.0.1 port=1 password=hunter2", "want postgres://"},
		"Postgres without a scheme": {"DATABASE_URL", "postgres//u:hunter2@h/x", "want postgres://"},
		"no Redis":                  {"REDIS_URL", "redis://:hunter2@127.0.0.1:1/0", "127.0.0.1:1 does not answer"},
		"a silent Redis":            {"REDIS_URL", "redis://:hunter2@" + mute.Addr().String() + "/0", "does not answer"},
		"Redis without a scheme":    {"REDIS_URL", "redis//:hunter2@127.0.0.1:1/0", "want redis://"},
		"Redis without a host":      {"REDIS_URL", "redis://:hunter2@", "want redis://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			begun := time.Now()
			args := []string{"-dir", mustDir(t), "-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0"}
			err := run(t.Context(), args, lookup(map[string]string{tc.variable: tc.value}), noKeys, &out)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), tc.variable) ||
				!strings.Contains(err.Error(), "unset") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("run() with %s=%s = %v, want one line with %q and what to do", tc.variable, tc.value, err, tc.want)
			}
			if shown := out.String() + err.Error(); strings.Contains(shown, "hunter2") {
				t.Errorf("run() with %s=%s shows the password:\n%s", tc.variable, tc.value, shown)
			}
			if took := time.Since(begun); took > 4*answerTime {
				t.Errorf("run() took %s, want about %s at most", took, answerTime)
			}
		})
	}
}

// -reset leaves given stores, and what is known of the demo workspace in them, alone.
func TestResetLeavesGivenStoresAlone(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	env := map[string]string{"DATABASE_URL": pgtest.URL(t), "REDIS_URL": redistest.Start(t).URL()}
	args := []string{"-dir", dir, "-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0"}
	_, stop := sessionIn(t, lookup(env), args...)
	first := dotenv(t, dir)
	stop()
	out, stop := sessionIn(t, lookup(env), append(args, "-reset")...)
	again := dotenv(t, dir)
	stop()
	if !strings.Contains(out.String(), "leaving its data alone") {
		t.Errorf("the screen does not say whose stores these are:\n%s", out)
	}
	for _, vars := range []map[string]string{first, again} {
		delete(vars, "LEADGATE_URL")
		delete(vars, "LEADGATE_ADMIN_URL")
		delete(vars, "LEADGATE_WORKER_URL")
	}
	if !maps.Equal(first, again) {
		t.Errorf("after -reset the session has %v, want %v", again, first)
	}
}

func TestRememberedAreBounded(t *testing.T) {
	t.Parallel()
	s := &settings{dir: mustDir(t)}
	for range maxRemembered + 10 {
		if err := s.remember(&devstack.System{Redis: &devstack.Redis{}, RedisURL: "redis://127.0.0.1:20000/0"}); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.remembered(); err != nil || len(all) != maxRemembered {
		t.Errorf("remembered() = %d URLs, %v, want %d", len(all), err, maxRemembered)
	}
}

// On a developer's own machine the queue dashboard acts, unless the environment says otherwise.
func TestQueuesAreWritable(t *testing.T) {
	t.Parallel()
	for said, want := range map[string][]string{"": {"LEADGATE_QUEUES_WRITABLE=true"}, "false": nil} {
		set := settings{}
		if got := set.options(lookup(map[string]string{"LEADGATE_QUEUES_WRITABLE": said}),
			givenStores{}).Env; !slices.Equal(got,
			want) {
			t.Errorf("with LEADGATE_QUEUES_WRITABLE=%q gateways get %v more, want %v", said, got, want)
		}
	}
}
