package config

import (
	"fmt"
	"testing"
)

func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{"0": 0, "64": 64, "1048576": 1 << 20, "64MiB": 64 << 20, " 2 GiB ": 2 << 30,
		"512KiB": 512 << 10} {
		t.Run(text, func(t *testing.T) {
			var got Bytes
			if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
				t.Errorf("Bytes(%q) = %d, %v, want %d", text, got, err, want)
			}
		})
	}
	for _, text := range []string{"", "64MB", "-1", "1.5GiB", "MiB", "9223372036854775807KiB"} {
		t.Run(text, func(t *testing.T) {
			var got Bytes
			if err := got.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("Bytes(%q) = %d, %v, want an error", text, got, err)
			}
		})
	}
	for n, want := range map[Bytes]string{0: "0", 1000: "1000", 24 << 20: "24MiB", 1 << 30: "1GiB", 1536: "1536"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := n.String(); got != want {
				t.Errorf("Bytes(%d).String() = %q, want %q", int64(n), got, want)
			}
		})
	}
}
