package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is a number of bytes as a flag, written as 64MiB, 1GiB, 512KiB or 1048576.
type Bytes int64

var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, size := strings.TrimSpace(string(text)), int64(1)
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(digits, u.name); ok {
			digits, size = strings.TrimSpace(number), u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/size {
		return errors.New("must be a number of bytes such as 64MiB or 1GiB")
	}
	*b = Bytes(n * size)
	return nil
}

// String returns the number in the largest unit that divides it.
func (b Bytes) String() string {
	n, unit := int64(b), ""
	for _, u := range byteUnits {
		if n != 0 && int64(b)%u.size == 0 {
			n, unit = int64(b)/u.size, u.name
		}
	}
	return strconv.FormatInt(n, 10) + unit
}
