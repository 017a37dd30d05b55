package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// capacity fits what the system uses to its load, checks that against loads it was not fitted to, and says what larger
// ones would use: leads without a webhook, and leads with one each.
func (b *bench) capacity(ctx context.Context) error {
	const most = 4000
	fitted := []load{{}, {50, 0}, {500, 0}, {most, 0}, {flatOut, 0},
		{20, 20}, {300, 300}, {most * .6, most * .6}, {flatOut, flatOut}}
	checked := []load{{200, 0}, {most * .4, 0}, {most * .25, most * .25}}
	if b.quick {
		fitted, checked = []load{{}, {200, 0}, {flatOut, flatOut}}, []load{{100, 100}}
	}
	samples := map[string][]sample{}
	var measured load // the most of each kind
	for _, l := range fitted {
		used, l, err := b.useAt(ctx, l)
		if err != nil {
			return fmt.Errorf("%v: %w", l, err)
		}
		measured = load{max(measured.leads, l.leads), max(measured.deliveries, l.deliveries)}
		for _, r := range resources() {
			samples[r.name] = append(samples[r.name], sample{l, used[r.name]})
		}
	}
	models := map[string]model{}
	for _, r := range resources() {
		models[r.name] = fitModel(samples[r.name])
	}
	b.printf("use a second as predicted : as measured, of loads that the model was not fitted to")
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "  leads/s\twebhooks/s\t"+resourceNames()+"\t")
	for _, l := range checked {
		used, _, err := b.useAt(ctx, l)
		if err != nil {
			return fmt.Errorf("%v: %w", l, err)
		}
		line := fmt.Sprintf("  %.0f\t%.0f", l.leads, l.deliveries)
		for _, r := range resources() {
			m := models[r.name]
			predicted := m.predict(l)
			line += fmt.Sprintf("\t%.3g : %.3g = %.2f", predicted/r.scale, used[r.name]/r.scale, predicted/used[r.name])
			b.figure(l.name(), "predicted."+slug(r.name), predicted/used[r.name], "ratio")
		}
		fmt.Fprintln(t, line+"\t")
	}
	t.Flush()
	b.extrapolate(models, measured)
	return b.sizes(ctx)
}

func (l load) name() string {
	switch {
	case l.deliveries == flatOut:
		return "most leads and webhooks"
	case l.leads == flatOut:
		return "most leads"
	}
	return fmt.Sprintf("%.0f leads %.0f webhooks", l.leads, l.deliveries)
}

// systems is how many that do what was measured at most carry the load together.
func (l load) systems(measured load) float64 {
	if l.deliveries > 0 {
		return max(1, l.leads/measured.deliveries)
	}
	return max(1, l.leads/measured.leads)
}

// of is the part that one of n has.
func (l load) of(n float64) load { return load{l.leads / n, l.deliveries / n} }

// extrapolate prints what other loads would use. One beyond what was measured is that of several such systems: what more
// a single one would share is not known.
func (b *bench) extrapolate(models map[string]model, measured load) {
	b.printf("what other loads would use a second, by the same model; beyond %.0f leads/s, with webhooks %.0f, as several "+
		"such systems", measured.leads, measured.deliveries)
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "  leads/s\twebhooks/s\t"+resourceNames()+"\t")
	for _, leads := range []float64{100, 1000, 10_000, 100_000, 1_000_000} {
		for _, l := range []load{{leads, 0}, {leads, leads}} {
			line := fmt.Sprintf("  %.0f\t%.0f", l.leads, l.deliveries)
			for _, r := range resources() {
				needs := l.systems(measured) * models[r.name].predict(l.of(l.systems(measured)))
				line += fmt.Sprintf("\t%.3g", needs/r.scale)
				b.figure(l.name(), "needs."+slug(r.name), needs, r.unit)
			}
			fmt.Fprintln(t, line+"\t")
		}
	}
	t.Flush()
}

// resource is what a load uses.
type resource struct {
	name, unit string
	head       string  // of its column
	scale      float64 // what is shown is divided by it
	of         func(*usage) float64
}

func resources() []resource {
	var all []resource
	for _, part := range parts() {
		if part == "client" {
			continue
		}
		all = append(all, resource{part, "µs", part + " cores", 1e6, func(u *usage) float64 { return u.cpu[part] }})
	}
	return append(all,
		resource{"all", "µs", "all cores", 1e6, func(u *usage) float64 { return u.cpu.but("client") }},
		resource{"wal", "bytes", "WAL MB", 1e6, func(u *usage) float64 { return float64(u.wal - u.pages) }},
		resource{"redis commands", "commands", "Redis commands", 1, func(u *usage) float64 { return float64(total(u.commands)) }})
}

func resourceNames() string {
	var heads []string
	for _, r := range resources() {
		heads = append(heads, r.head)
	}
	return strings.Join(heads, "\t")
}

// flatOut is a load of as many leads a second as a closed loop of openConns gets accepted.
const flatOut = -1

// useAt is how much of each resource a load uses in a second, and what load it was; never nothing, by which nothing can
// be divided.
func (b *bench) useAt(ctx context.Context, l load) (map[string]float64, load, error) {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return nil, l, err
	}
	defer s.close()
	t, err := loadgen.NewTenant(ctx, s.db, "capacity")
	if err != nil {
		return nil, l, err
	}
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return nil, l, err
	}
	defer sink.Close()
	if l.deliveries != 0 {
		if _, err := sink.Subscribe(ctx, s.db, t.Workspace, "/hook", webhook.Endpoint{}); err != nil {
			return nil, l, err
		}
	}
	sent := 0
	post := func(perSecond float64, d time.Duration) (accepted int, err error) {
		if perSecond == 0 {
			return 0, wait(ctx, d)
		}
		res, err := s.postLoad(ctx, t, perSecond, d)
		if err != nil {
			return 0, err
		}
		if sent += res.accepted; l.deliveries != 0 {
			if err := sink.Await(ctx, sent); err != nil {
				return 0, err
			}
		}
		return res.accepted, s.awaitAllIdle(ctx)
	}
	warm := l.leads
	if warm == 0 {
		warm = 1
	}
	if _, err := post(warm, s.warmUp()); err != nil {
		return nil, l, err
	}
	length := max(s.duration, s.steady)
	s.step("%s: %v", l.name(), length)
	accepted := 0
	u, err := s.metered(ctx, func() (err error) {
		accepted, err = post(l.leads, length)
		return err
	})
	if err != nil {
		return nil, l, err
	}
	used := map[string]float64{}
	for _, r := range resources() {
		used[r.name] = max(1e-6, r.of(&u)/length.Seconds())
	}
	if l.leads != 0 {
		s.used(l.name(), u, per{accepted, "lead"})
	}
	if l.leads == flatOut {
		l.leads = float64(accepted) / length.Seconds()
	}
	if l.deliveries == flatOut {
		l.deliveries = l.leads
	}
	return used, l, nil
}

// postLoad posts so many leads a second, or as many as are accepted.
func (s *fixture) postLoad(ctx context.Context, t loadgen.Tenant, perSecond float64, d time.Duration) (*result, error) {
	if perSecond != flatOut {
		res, err := s.postAt(ctx, t, s.nextRun(), int(perSecond), d)
		if err == nil && res.accepted < int(perSecond*d.Seconds())*95/100 {
			err = fmt.Errorf("%.0f/s are too many for this machine: accepted %v", perSecond, res)
		}
		return res, err
	}
	do, done, err := postsOf(s.nextRun(), s.addr(), "/api/v1/leads", t.Key, openConns)
	if err != nil {
		return nil, err
	}
	defer done()
	return closedLoop(ctx, openConns, d, do)
}

// sizes prints how much a lead takes in the stores, of what the last load has left there: leads with one webhook each.
func (b *bench) sizes(ctx context.Context) error {
	var leads, bytes int64
	const q = `
select (select count(*) from leads),
       (select sum(pg_total_relation_size(c.oid)) from pg_class c
         where c.relkind = 'r' and c.relname ~ '^(leads|events|deliveries|attempts|enrichments|delivery_times)'
           and c.relnamespace = current_schema()::regnamespace)`
	if err := b.base.db.QueryRowContext(ctx, q).Scan(&leads, &bytes); err != nil {
		return err
	}
	emails, err := b.redis.DBSize(ctx).Result()
	if err != nil {
		return err
	}
	memory, err := b.redis.Info(ctx, "memory").Result()
	if err != nil || leads == 0 {
		return err
	}
	var used int64
	if _, text, ok := strings.Cut(memory, "used_memory_dataset:"); ok {
		fmt.Sscan(text, &used)
	}
	b.printf("%d leads with one webhook each take %.0f bytes each in Postgres, indexes included; %d keys take %d bytes each in Redis",
		leads, float64(bytes)/float64(leads), emails, used/max(1, emails))
	b.figure("", "bytes_a_lead", float64(bytes)/float64(leads), "bytes")
	b.figure("", "redis_bytes_a_key", float64(used)/float64(max(1, emails)), "bytes")
	return nil
}
