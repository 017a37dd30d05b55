package form

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"leadgate/shared/id"
)

func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &turns{each: 2, all: 3, waiting: 2}
		crowd, other := id.New(), id.New()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, _ := s.take(soon, crowd)
		s.take(soon, crowd)
		came := make(chan string, 2)
		go func() {
			if _, ok := s.take(soon, crowd); ok {
				came <- "crowd"
			}
		}()
		synctest.Wait()
		done, ok := s.take(soon, other) // the crowd's third waits, and keeps nobody else waiting
		if !ok {
			t.Fatal("another workspace finds no room")
		}
		go func() {
			if _, ok := s.take(soon, other); ok {
				came <- "other"
			}
		}()
		synctest.Wait()
		if _, ok := s.take(soon, id.New()); ok {
			t.Error("beyond the bound of those who wait, one waits")
		}
		done()
		if got := <-came; got != "other" {
			t.Errorf("the place of another went to %s, which has its share", got)
		}
		first()
		if got := <-came; got != "crowd" {
			t.Errorf("the crowd's place went to %s", got)
		}
		began := time.Now()
		if _, ok := s.take(soon, crowd); ok || time.Since(began) != time.Second {
			t.Errorf("who waits in vain gets %v after %v, want none after a second", ok, time.Since(began))
		}
		if len(s.queue) != 0 || s.total != 3 {
			t.Errorf("left are %d who wait and %d at work, want 0 and 3", len(s.queue), s.total)
		}
	})
}
