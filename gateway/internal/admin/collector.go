package admin

import (
	"context"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// collector pings the stores when it is scraped and, in the gateway that speaks for the installation, reads the queues
// and counts the backlog, so that each is there once, however many gateways run. Its labels are ours, so there are few
// whatever is in the stores. What a store does not tell is left out.
type collector struct {
	inspector *asynq.Inspector
	redis     redis.UniversalClient
	ready     func(context.Context) error
	backlog   *backlog
	speaks    func() bool // see Deps.Speaks

	tasks, latency, paused, up                    *prometheus.Desc
	waiting, oldest, endpoints, replays, snapshot *prometheus.Desc
}

func newCollector(c redis.UniversalClient, ready func(context.Context) error, b *backlog,
	speaks func() bool) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("leadgate_"+name, help, labels, nil)
	}
	return &collector{
		inspector: asynq.NewInspectorFromRedisClient(c), redis: c, ready: ready, backlog: b,
		speaks:  speaks,
		tasks:   desc("queue_tasks", "Tasks in a queue by state.", "queue", "state"),
		latency: desc("queue_latency_seconds", "How long the oldest pending task of a queue has waited.", "queue"),
		paused:  desc("queue_paused", "Whether a queue is paused.", "queue"),
		up:      desc("store_up", "Whether a store does for this gateway what it needs: Redis a script on a key, at each master of a cluster.", "store"),

		waiting: desc("deliveries_waiting",
			"Pending deliveries, counted to 1,000,000: due ones could be sent now, later ones wait for their time or for a breaker.", "state"),
		oldest:    desc("oldest_due_seconds", "How long the first of the due deliveries could have been sent."),
		endpoints: desc("endpoints", "Endpoints by breaker; failing ones are sent to all the same.", "breaker"),
		replays:   desc("replays_running", "Replays that run."),
		snapshot: desc("oldest_snapshot_seconds",
			"How long the oldest open transaction in Postgres has kept dead rows alive, which slows deliveries down."),
	}
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.tasks, c.latency, c.paused, c.up, c.waiting, c.oldest,
		c.endpoints, c.replays, c.snapshot} {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	postgresUp := answers(c.ready)
	redis := redisState(c.redis)
	gauge(c.up, one(postgresUp), "postgres")
	gauge(c.up, one(redis.OK()), "redis")
	if !c.speaks() {
		return
	}
	if postgresUp {
		c.collectBacklog(gauge)
	}
	if redis.Some() {
		c.collectQueues(gauge)
	}
}

// answers gives each store a time of its own.
func answers(ping func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	return ping(ctx) == nil
}

func redisState(c redis.UniversalClient) rdb.State {
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	return rdb.Ready(ctx, c)
}

// setter sets a gauge.
type setter func(d *prometheus.Desc, value float64, labels ...string)

func (c *collector) collectBacklog(gauge setter) {
	b, ok := c.backlog.read()
	if !ok {
		return
	}
	gauge(c.waiting, float64(b.Due), "due")
	gauge(c.waiting, float64(b.Later), "later")
	gauge(c.oldest, b.OldestDue.Seconds())
	gauge(c.endpoints, float64(b.Closed), "closed")
	gauge(c.endpoints, float64(b.Failing), "failing")
	gauge(c.endpoints, float64(b.Open), "open")
	gauge(c.endpoints, float64(b.Disabled), "disabled")
	gauge(c.replays, float64(b.Replays))
	gauge(c.snapshot, b.OldestSnapshot.Seconds())
}

func (c *collector) collectQueues(gauge setter) {
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
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
