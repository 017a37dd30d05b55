package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// repeat calls once until it succeeds, fails for good, or Patience is over. safe says that to repeat does no harm.
func (c *Client) repeat(ctx context.Context, safe bool, once func() error) error {
	began := time.Now()
	for n := 0; ; n++ {
		err := once()
		if err == nil || ctx.Err() != nil || !repeatable(err, safe) {
			return err
		}
		wait := waitBefore(n, err, rand.Float64())
		if time.Since(began)+wait > c.Patience {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		case <-time.After(wait):
		}
	}
}

// Temporary reports whether a request that only reads, and ended with err, may succeed later: the API is away, or asks
// to come again.
func Temporary(err error) bool { return repeatable(err, true) }

// repeatable reports whether a request that ended with err may succeed a little later.
func repeatable(err error, safe bool) bool {
	var refused *Error
	if errors.As(err, &refused) {
		switch {
		case refused.Status == http.StatusTooManyRequests:
			return true
		case refused.Status == http.StatusConflict:
			return refused.Code == "IDEMPOTENCY_IN_PROGRESS"
		}
		return safe && refused.Status >= 500
	}
	var away *unreachable
	return safe && errors.As(err, &away)
}

// waitBefore returns how long to wait before the repeat that follows n others: as long as the API asks, else longer
// each time. chance, from 0 to 1, keeps clients apart that failed together.
func waitBefore(n int, err error, chance float64) time.Duration {
	var refused *Error
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return refused.RetryAfter + time.Duration(chance*float64(firstWait))
	}
	wait := min(maxWait, firstWait<<min(n, 10))
	return wait/2 + time.Duration(chance*float64(wait/2))
}

// readRetryAfter reads the header Retry-After, which has seconds or a date (RFC 9110); zero: none.
func readRetryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
