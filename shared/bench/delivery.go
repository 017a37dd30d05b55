package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadgate/shared/loadgen"
)

// delivery measures, on an otherwise idle system, the time from sending a lead to the webhook's arrival.
func (b *bench) delivery(ctx context.Context) error {
	const leads, pause = 100, 100 * time.Millisecond
	r, err := loadgen.Receive(0)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Subscribe(ctx, b.URL, b.Key, loadgen.LeadEvents()...); err != nil {
		return err
	}
	c, err := loadgen.Dial(strings.TrimPrefix(b.URL, "http://"))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	run := b.nextRun()
	delays := map[string][]time.Duration{}
	for n := range int64(leads) {
		start := time.Now()
		body := leadBody(nil, run, n)
		got, err := c.Post("/api/v1/leads", b.Key, body)
		if err != nil || got.Status != 201 {
			return fmt.Errorf("post: %d, %v", got.Status, err)
		}
		lead, err := got.Lead()
		if err != nil {
			return err
		}
		for _, event := range loadgen.LeadEvents() {
			a, err := r.Wait(ctx, event, lead)
			if err != nil {
				return err
			}
			delays[event] = append(delays[event], a.First.Sub(start))
		}
		time.Sleep(pause)
	}
	for _, event := range loadgen.LeadEvents() {
		d := slices.Sorted(slices.Values(delays[event]))
		b.printf("%-13s after the POST: p50 %v  p99 %v  (%d leads, one at a time)", event,
			d[len(d)/2].Round(100*time.Microsecond), d[len(d)*99/100].Round(100*time.Microsecond), leads)
	}
	return nil
}
