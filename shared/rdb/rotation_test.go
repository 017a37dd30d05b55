package rdb_test

import (
	"sync/atomic"
	"testing"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// A password that changes in its file is used for the next connection; what is not valid changes nothing.
func TestPasswordChangesInItsFile(t *testing.T) {
	t.Parallel()
	server := redistest.StartWith(t, devstack.RedisOptions{Args: user("asks", "+@all")})
	admin := redistest.Open(t, server)
	url := func(password string) string { return "redis://asks:" + password + "@" + server.Addr() }
	var file atomic.Value
	file.Store(url("secret"))
	c := redistest.OpenURL(t, url("secret"), rdb.Options{Current: func() (string, error) { return file.Load().(string), nil }})
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"second", "third"} {
		if err := admin.Do(t.Context(), "acl", "setuser", "asks", "resetpass", ">"+password).Err(); err != nil {
			t.Fatal(err)
		}
		file.Store(url(password))
		if err := admin.Do(t.Context(), "client", "kill", "user", "asks").Err(); err != nil {
			t.Fatal(err)
		}
		testwait.Until(t, "a connection with the password "+password, func() bool { return c.Ping(t.Context()).Err() == nil })
	}
	file.Store("half a URL")
	if err := admin.Do(t.Context(), "client", "kill", "user", "asks").Err(); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "a connection with the password of before", func() bool { return c.Ping(t.Context()).Err() == nil })
}
