package main

import (
	"strings"
	"time"

	"leadgate/shared/admintoken"
	"leadgate/shared/config"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/secret"
	"leadgate/shared/telemetry"
	"leadgate/shared/webhook"
)

// settings is the configuration of a worker, by flag or by environment.
type settings struct {
	Version config.Version `name:"version" help:"Print the version."`

	OpsListen    string               `name:"ops-listen" from:"LEADGATE_WORKER_LISTEN" default:"127.0.0.1:8082" help:"Address of /healthz, /readyz, /metrics and /debug/pprof. Keep it private."`
	OpsToken     config.WatchedSecret `name:"ops-token" from:"LEADGATE_WORKER_TOKEN" help:"Token that /debug/pprof asks for, at least 16 characters; several, as name=token, between white space. Without it there is no pprof."`
	DatabaseURL  config.WatchedSecret `name:"database-url" from:"DATABASE_URL" required:"" help:"Postgres, postgres://user:password@host:port/name."`
	RedisURL     config.WatchedSecret `name:"redis-url" from:"REDIS_URL" required:"" help:"Redis: redis://user:password@host:port/0, rediss:// for TLS, redis-sentinel://host,host/master; several hosts, with commas, are a cluster."`
	RedisCA      config.WatchedSecret `name:"redis-ca" from:"LEADGATE_REDIS_CA" help:"Certificates, in PEM, of the authorities that the certificate of Redis is verified with, instead of the system's."`
	RedisCert    config.WatchedSecret `name:"redis-cert" from:"LEADGATE_REDIS_CERT" help:"Our certificate, in PEM, where Redis asks for one."`
	RedisKey     config.WatchedSecret `name:"redis-key" from:"LEADGATE_REDIS_KEY" help:"The key of that certificate, in PEM."`
	Migrate      bool                 `name:"migrate" from:"LEADGATE_MIGRATE" help:"Bring the schema up to date before starting."`
	AllowUnsafe  bool                 `name:"allow-unsafe-postgres" from:"LEADGATE_ALLOW_UNSAFE_POSTGRES" help:"Start on a Postgres whose fsync, full_page_writes or synchronous_commit is off."`
	SecretKeys   config.WatchedSecret `name:"secret-keys" from:"LEADGATE_SECRET_KEYS" placeholder:"ID:BASE64" help:"Keys that secrets are encrypted with in Postgres, separated by commas or lines; the first encrypts, all decrypt."`
	LogLevel     config.WatchedText   `name:"log-level" from:"LEADGATE_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	DBConns      int                  `name:"db-conns" from:"LEADGATE_DB_CONNS" default:"16" help:"Connections to Postgres at most."`
	ConnLife     time.Duration        `name:"db-conn-lifetime" from:"LEADGATE_DB_CONN_LIFETIME" default:"30m" help:"How long a connection to Postgres is used, so that a pool follows a failover behind a name or a balancer."`
	Grace        time.Duration        `name:"grace" from:"LEADGATE_GRACE" default:"20s" help:"How long a stop may take; attempts still under way then are made again later."`
	Drains       int                  `name:"drains" from:"LEADGATE_DRAINS" default:"512" help:"Endpoints with many deliveries, or with retries, delivered to at the same time; 256 with few come on top."`
	Probes       int                  `name:"probes" from:"LEADGATE_PROBES" default:"64" help:"Failing endpoints tried at the same time; they take nothing from the others."`
	MemoryBudget config.Bytes         `name:"memory-budget" from:"LEADGATE_MEMORY_BUDGET" default:"0" help:"Bytes that deliveries under way may hold together, such as 64MiB; 0: a quarter of the memory limit."`
	Enrichers    int                  `name:"enrichers" from:"LEADGATE_ENRICHERS" default:"4" help:"Enrichment tasks at the same time."`
	Sweep        time.Duration        `name:"sweep" from:"LEADGATE_SWEEP" default:"2s" help:"How often to look for due work nobody does."`
	Poll         time.Duration        `name:"poll" from:"LEADGATE_POLL" default:"20ms" help:"How long a worker rests when a queue was empty, before it waits for the next task."`
	AllowCIDRs   []string             `name:"webhook-allow-cidrs" from:"LEADGATE_WEBHOOK_ALLOW_CIDRS" placeholder:"CIDR" help:"Private networks webhooks may reach, on any port."`
	OTLP         string               `name:"otlp-endpoint" from:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"OpenTelemetry collector that traces are sent to, as OTLP over HTTP; OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and the other variables of its SDK count too."`
	OTLPTraces   string               `name:"otlp-traces-endpoint" from:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" placeholder:"URL" help:"The whole URL that traces are posted to, instead."`
	AllowHTTP    bool                 `name:"webhook-allow-http" from:"LEADGATE_WEBHOOK_ALLOW_HTTP" help:"Let webhooks go to http:// URLs too."`

	Retention           time.Duration `name:"retention" from:"LEADGATE_RETENTION" default:"720h" help:"How long events, deliveries and attempts are kept, in whole weeks; what is pending stays."`
	SubmissionRetention time.Duration `name:"submission-retention" from:"LEADGATE_SUBMISSION_RETENTION" default:"9600h" help:"How long submissions of forms are kept, in whole weeks; a lead's first and last stay with it."`
	DisableAfter        time.Duration `name:"disable-after" from:"LEADGATE_DISABLE_AFTER" default:"120h" help:"An endpoint that only failed for so long is disabled; 0: never."`

	OperatorHook       config.Secret `name:"operator-hook" from:"LEADGATE_OPERATOR_HOOK" placeholder:"URL" help:"URL told of endpoints that fail and are disabled, in every workspace."`
	OperatorHookSecret config.Secret `name:"operator-hook-secret" from:"LEADGATE_OPERATOR_HOOK_SECRET" help:"whsec_... (or whsk_...) that signs what the operator hook gets."`

	AttemptLog bool `name:"attempt-log" from:"LEADGATE_ATTEMPT_LOG" default:"true" negatable:"" help:"Log a line per webhook attempt, not only failures."`
}

// maxAge is the most that a setting counted in days can be: ten years.
const maxAge = 10 * 365 * 24 * time.Hour

// Check returns every invalid setting.
func (s *settings) Check() (invalid []error) {
	add := func(flag, format string, args ...any) {
		invalid = append(invalid, config.Invalid(flag, format, args...))
	}
	if err := config.CheckAddress(s.OpsListen); err != nil {
		add("ops-listen", "%v", err)
	}
	if token := s.OpsToken.Reveal(); token != "" {
		if because := admintoken.Check(token); because != "" {
			add("ops-token", "%s", because)
		}
	}
	if db, err := pg.Open(s.DatabaseURL.Reveal(), pg.Options{}); err != nil {
		add("database-url", "%v", err)
	} else {
		db.Close()
	}
	if _, err := secret.Parse(s.SecretKeys.Reveal()); err != nil {
		add("secret-keys", "%v", err)
	}
	if err := rdb.Check(s.RedisURL.Reveal()); err != nil {
		add("redis-url", "%v", err)
	}
	if err := s.redisTLS().Check(); err != nil {
		add("redis-ca", "%v", err)
	}
	for _, n := range []struct {
		flag          string
		got, low, top int
	}{{"db-conns", s.DBConns, 2, 1000}, {"drains", s.Drains, 1, 10_000}, {"probes", s.Probes, 1, 1000},
		{"enrichers", s.Enrichers, 1, 1000}} {
		if n.got < n.low || n.got > n.top {
			add(n.flag, "must be between %d and %d, not %d", n.low, n.top, n.got)
		}
	}
	for _, d := range []struct {
		flag          string
		got, low, top time.Duration
	}{{"db-conn-lifetime", s.ConnLife, time.Second, 24 * time.Hour},
		{"grace", s.Grace, time.Second, 10 * time.Minute}, {"sweep", s.Sweep, 100 * time.Millisecond, time.Minute},
		{"poll", s.Poll, time.Millisecond, 10 * time.Second}, {"retention", s.Retention, 24 * time.Hour, maxAge},
		{"submission-retention", s.SubmissionRetention, 31 * 24 * time.Hour, maxAge}} { // held ones are kept for 30 days
		if d.got < d.low || d.got > d.top {
			add(d.flag, "must be between %s and %s, not %s", d.low, d.top, d.got)
		}
	}
	if err := lifecycle.CheckBudget(int64(s.MemoryBudget)); err != nil {
		add("memory-budget", "%v", err)
	}
	if _, err := s.collector().URL(); err != nil {
		add("otlp-endpoint", "%v", err)
	}
	if s.DisableAfter != 0 && (s.DisableAfter < time.Minute || s.DisableAfter > maxAge) {
		add("disable-after", "must be 0, or between %s and %s, not %s", time.Minute, maxAge, s.DisableAfter)
	}
	for _, cidr := range s.AllowCIDRs {
		if _, err := webhook.ParseAllow([]string{cidr}, s.AllowHTTP); err != nil {
			add("webhook-allow-cidrs", "%v", err)
		}
	}
	s.checkOperatorHook(add)
	return invalid
}

// checkOperatorHook repeats neither the URL nor the secret: whoever has them can post there.
func (s *settings) checkOperatorHook(add func(flag, format string, args ...any)) {
	url, secret := s.OperatorHook.Reveal(), s.OperatorHookSecret.Reveal()
	allow, _ := webhook.ParseAllow(s.AllowCIDRs, s.AllowHTTP) // Check reports its errors
	if url != "" {
		if because := webhook.CheckURL(url, allow); because != "" {
			add("operator-hook", "%s", lowerFirst(because))
		}
	}
	switch because := webhook.CheckSecret(secret); {
	case secret == "" && url == "":
	case secret == "":
		add("operator-hook-secret", "must be set with --operator-hook: what it gets is signed")
	case url == "":
		add("operator-hook-secret", "is of no use without --operator-hook")
	case because != "":
		add("operator-hook-secret", "%s", lowerFirst(because))
	}
}

// lowerFirst makes a sentence of package webhook go on after a flag's name.
func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

func (s *settings) collector() telemetry.Collector {
	return telemetry.Collector{Base: s.OTLP, Traces: s.OTLPTraces}
}

func (s *settings) redisTLS() rdb.TLS {
	return rdb.TLS{CA: s.RedisCA, Cert: s.RedisCert, Key: s.RedisKey}
}
