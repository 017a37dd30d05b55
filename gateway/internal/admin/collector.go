package admin

import (
	"context"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/task"
)

// collector reads the queues and pings the stores when it is scraped. Its labels are ours, so there are few whatever is in Redis.
type collector struct {
	inspector *asynq.Inspector
	redis     redis.UniversalClient
	ready     func(context.Context) error

	tasks, latency, paused, processed, failed, up *prometheus.Desc
}

func newCollector(c redis.UniversalClient, ready func(context.Context) error) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("leadgate_"+name, help, labels, nil)
	}
	return &collector{
		inspector: asynq.NewInspectorFromRedisClient(c), redis: c, ready: ready,
		tasks:     desc("queue_tasks", "Tasks in a queue by state.", "queue", "state"),
		latency:   desc("queue_latency_seconds", "How long the oldest pending task of a queue has waited.", "queue"),
		paused:    desc("queue_paused", "Whether a queue is paused.", "queue"),
		processed: desc("queue_processed_total", "Tasks of a queue that were processed, failures included.", "queue"),
		failed:    desc("queue_failed_total", "Tasks of a queue that failed.", "queue"),
		up:        desc("store_up", "Whether a store answers this gateway.", "store"),
	}
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.tasks, c.latency, c.paused, c.processed, c.failed, c.up} {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.up, one(c.ready(ctx) == nil), "postgres")
	redisUp := c.redis.Ping(ctx).Err() == nil
	gauge(c.up, one(redisUp), "redis")
	if !redisUp {
		return
	}
	for _, queue := range task.Queues() {
		info, err := c.inspector.GetQueueInfo(queue)
		if err != nil { // nothing was ever put into it, or Redis has just gone
			continue
		}
		for state, n := range map[string]int{
			"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled,
			"retry": info.Retry, "archived": info.Archived, "completed": info.Completed,
		} {
			gauge(c.tasks, float64(n), queue, state)
		}
		gauge(c.latency, info.Latency.Seconds(), queue)
		gauge(c.paused, one(info.Paused), queue)
		ch <- prometheus.MustNewConstMetric(c.processed, prometheus.CounterValue, float64(info.ProcessedTotal), queue)
		ch <- prometheus.MustNewConstMetric(c.failed, prometheus.CounterValue, float64(info.FailedTotal), queue)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
