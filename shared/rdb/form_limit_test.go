package rdb_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
)

func TestLimitForm(t *testing.T) {
	t.Parallel()
	c := redistest.New(t)
	ws, form := id.New(), id.New()
	take := func(form id.UUID, address string, whole, each int) time.Duration {
		t.Helper()
		wait, err := rdb.LimitForm(t.Context(), c, rdb.FormSubmission{
			Workspace: ws, Form: form, Address: netip.MustParseAddr(address),
			PerForm: limit.NewRate(whole, time.Hour, whole), PerAddress: limit.NewRate(each, time.Hour, each)})
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	for i, address := range []string{"192.0.2.1", "::ffff:192.0.2.1"} { // one address in two spellings
		if wait := take(form, address, 3, 2); wait != 0 {
			t.Fatalf("submission %d waits %v, want none", i, wait)
		}
	}
	if wait := take(form, "192.0.2.1", 3, 2); wait <= 29*time.Minute || wait > 30*time.Minute {
		t.Errorf("the third of an address waits %v, want about half an hour", wait)
	}
	if wait := take(form, "192.0.2.2", 3, 2); wait != 0 { // what was refused took nothing from the form
		t.Errorf("another address waits %v, want none", wait)
	}
	if wait := take(form, "192.0.2.3", 3, 2); wait <= 19*time.Minute || wait > 20*time.Minute {
		t.Errorf("the fourth of the form waits %v, want about 20 minutes", wait)
	}
	other := id.New()
	first, same := take(other, "2001:db8::1", 9, 1), take(other, "2001:db8::2:1", 9, 1)
	next := take(other, "2001:db8:0:1::1", 9, 1)
	if first != 0 || same == 0 || next != 0 {
		t.Error("IPv6 is not limited by /64")
	}
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 6 { // 2 forms, 4 addresses that passed
		t.Errorf("keys %v (%v), want 6", keys, err)
	}
	for _, k := range keys {
		if ttl := c.PTTL(t.Context(), k).Val(); ttl <= 0 || strings.Contains(k, "192.0") || strings.Contains(k, "2001:") {
			t.Errorf("key %s has TTL %v: want one, and no address", k, ttl)
		}
	}
}
