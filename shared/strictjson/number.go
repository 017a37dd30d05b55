package strictjson

import (
	"fmt"
	"strconv"
)

// Number reads a number from low to high; it is not ok when it is something else, which is told, or absent.
func (r *Reader) Number(low, high float64) (n float64, ok bool) {
	if r.null() {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(r.raw), 64) // JSON has neither NaN nor Inf
	if err != nil || n < low || n > high {
		r.Refuse(fmt.Sprintf("Must be a number from %g to %g", low, high))
		return 0, false
	}
	return n, true
}
