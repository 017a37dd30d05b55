package rdb_test

import (
	"fmt"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
)

// The newest few are kept, each once, and are forgotten after a week.
func TestRefusedOrigins(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	ws, form, now := id.New(), id.New(), time.Now().Truncate(time.Millisecond).UTC()
	for i := range 25 {
		refused := rdb.RefusedOrigin{Origin: fmt.Sprintf("https://s%d.example.com", i%12), LastAt: now.Add(time.Duration(i) * time.Second)}
		if i == 24 {
			refused.Origin = ""
		}
		if err := rdb.RememberRefusedOrigin(t.Context(), c, ws, form, refused); err != nil {
			t.Fatal(err)
		}
	}
	got, err := rdb.RefusedOrigins(t.Context(), c, ws, form)
	if err != nil || len(got) != rdb.MaxRefusedOrigins || got[0] != (rdb.RefusedOrigin{LastAt: now.Add(24 * time.Second)}) ||
		got[1] != (rdb.RefusedOrigin{Origin: "https://s11.example.com", LastAt: now.Add(23 * time.Second)}) {
		t.Errorf("RefusedOrigins() = %v, %v, want the newest ten, newest first", got, err)
	}
	keys := c.Keys(t.Context(), "*").Val()
	if len(keys) != 1 || c.TTL(t.Context(), keys[0]).Val() < 6*24*time.Hour {
		t.Errorf("keys = %v, want one that ends in a week", keys)
	}
	if got, err := rdb.RefusedOrigins(t.Context(), c, id.New(), form); err != nil || len(got) != 0 {
		t.Errorf("of another workspace: %v, %v, want none", got, err)
	}
}
