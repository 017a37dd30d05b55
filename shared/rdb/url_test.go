package rdb_test

import (
	"strings"
	"testing"

	"leadgate/shared/rdb"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://127.0.0.1", "redis://user:p%40ss@redis.example.com:6380/3", "rediss://:secret@redis.example.com",
		"unix:///run/redis.sock", "redis://h1:6379,redis://h2:6379", "redis://u:secret@h1,h2:6379,h3/0",
		"redis://h1:6379?cluster=true", "redis://h1:6379/0?cluster=false", "redis://h1,h2?cluster=true",
		"redis-sentinel://u:secret@h1,h2:26380/mymaster", "rediss-sentinel://h1/mymaster/2?sentinel_password=secret",
	} {
		if err := rdb.Check(url); err != nil {
			t.Errorf("Check(%q) = %v, want nil", url, err)
		}
	}
	for url, want := range map[string]string{
		"": "want redis://", "redis:///0": "want redis://", "h1:6379": "want redis://", "redis://u:se#cret@h1": "want redis://",
		"redis://u:secret@h1:port": "want redis://", "redis://u:secret@h1,": "want redis://",
		"redis://u:secret@h1,h2:port": "want redis://", "redis://u:secret@h1,rediss://h2": "want redis://",
		"http://u:secret@h1": "want redis://", "redis://u:secret@h1?unknown=1": "want redis://",
		"redis://u:secret@h1?cluster=maybe": "true or false", "redis://u:secret@h1,h2/3": "database 0 only, not 3",
		"redis://u:secret@h1/3?cluster=true": "database 0 only, not 3", "redis-sentinel://u:secret@h1": "name of the master",
		"redis-sentinel://u:secret@h1/mymaster/x": "want redis://", "redis-sentinel://h1/m?password=secret": "password is not known",
	} {
		if err := rdb.Check(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Check(%q) = %v, want %q and no password", url, err, want)
		}
	}
}
