package main

import (
	"net/netip"
	"net/url"
	"time"

	"leadgate/shared/admintoken"
	"leadgate/shared/config"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/secret"
	"leadgate/shared/telemetry"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

const about = "Receives leads for many workspaces. Settings: gateway serve --help"

// cli is all commands of the gateway, and the settings that they share, by flag or by environment.
type cli struct {
	Version config.Version `name:"version" help:"Print the version."`

	DatabaseURL config.WatchedSecret `name:"database-url" from:"DATABASE_URL" required:"" help:"Postgres, postgres://user:password@host:port/name."`
	DBConns     int                  `name:"db-conns" from:"LEADGATE_DB_CONNS" default:"16" help:"The most connections to Postgres."`
	ConnLife    time.Duration        `name:"db-conn-lifetime" from:"LEADGATE_DB_CONN_LIFETIME" default:"30m" help:"How long a connection to Postgres is used, so that a pool follows a failover behind a name or a balancer."`
	SecretKeys  config.WatchedSecret `name:"secret-keys" from:"LEADGATE_SECRET_KEYS" placeholder:"ID:BASE64" help:"Keys that secrets are encrypted with in Postgres, separated by commas or lines; the first encrypts, all decrypt."`
	LogLevel    config.WatchedText   `name:"log-level" from:"LEADGATE_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`

	Serve       settings          `cmd:"" default:"withargs" help:"Receive leads. This is the default command."`
	Migrate     migrate           `cmd:"" help:"Bring the database schema up to date."`
	Workspace   workspaceCommand  `cmd:"" help:"Create, list, suspend, export and delete workspaces."`
	Chatbot     chatbotCommand    `cmd:"" help:"Create and list a workspace's chatbots."`
	Lead        leadCommand       `cmd:"" help:"Import and export leads over the API, with a key; this needs no database."`
	Submission  submissionCommand `cmd:"" help:"List what forms received, and decide about it, over the API, with a key; this needs no database."`
	Webhook     webhookCommand    `cmd:"" help:"Follow a workspace's events over the API, with a key; this needs no database."`
	Key         keyCommand        `cmd:"" help:"Create, list, rotate and revoke a workspace's API keys."`
	ConsoleLink consoleLink       `cmd:"" name:"console-link" help:"Print a link that signs a browser in to a workspace's console, once."`
	Secrets     secretsCommand    `cmd:"" help:"Encrypt the stored secrets anew, and show with which keys they are."`
}

// settings is what serve takes.
type settings struct {
	Listen         string               `name:"listen" from:"LEADGATE_LISTEN" default:"127.0.0.1:8080" help:"Address of the API."`
	AdminListen    string               `name:"admin-listen" from:"LEADGATE_ADMIN_LISTEN" default:"127.0.0.1:8081" help:"Address of the admin pages. Keep it private."`
	AdminToken     config.WatchedSecret `name:"admin-token" from:"LEADGATE_ADMIN_TOKEN" required:"" help:"Token for the admin pages, at least 16 characters; several, between white space, each with the name of whose it is: alice=... ci=..."`
	RedisURL       config.WatchedSecret `name:"redis-url" from:"REDIS_URL" required:"" help:"Redis: redis://user:password@host:port/0, rediss:// for TLS, redis-sentinel://host,host/master; several hosts, with commas, are a cluster."`
	RedisCA        config.WatchedSecret `name:"redis-ca" from:"LEADGATE_REDIS_CA" help:"Certificates, in PEM, of the authorities that the certificate of Redis is verified with, instead of the system's."`
	RedisCert      config.WatchedSecret `name:"redis-cert" from:"LEADGATE_REDIS_CERT" help:"Our certificate, in PEM, where Redis asks for one."`
	RedisKey       config.WatchedSecret `name:"redis-key" from:"LEADGATE_REDIS_KEY" help:"The key of that certificate, in PEM."`
	ReadOnly       bool                 `name:"read-only" from:"LEADGATE_READ_ONLY" help:"Only answer what reads, also from a standby; whatever writes gets 503."`
	Migrate        bool                 `name:"migrate" from:"LEADGATE_MIGRATE" help:"Bring the schema up to date before starting."`
	AllowUnsafe    bool                 `name:"allow-unsafe-postgres" from:"LEADGATE_ALLOW_UNSAFE_POSTGRES" help:"Start on a Postgres whose fsync, full_page_writes or synchronous_commit is off."`
	QueuesWritable bool                 `name:"queues-writable" from:"LEADGATE_QUEUES_WRITABLE" help:"Let the queue dashboard run, archive and delete tasks."`
	AllowCIDRs     []string             `name:"webhook-allow-cidrs" from:"LEADGATE_WEBHOOK_ALLOW_CIDRS" placeholder:"CIDR" help:"Private networks that webhooks may reach, on any port."`
	AllowHTTP      bool                 `name:"webhook-allow-http" from:"LEADGATE_WEBHOOK_ALLOW_HTTP" help:"Allow webhooks to http:// URLs."`
	TrustedProxies []string             `name:"trusted-proxies" from:"LEADGATE_TRUSTED_PROXIES" placeholder:"CIDR" help:"Proxies in front of the gateway. Their X-Forwarded-For is trusted to say who submits a form, their X-Forwarded-Proto whether an administrator came by https."`
	PublicURL      string               `name:"public-url" from:"LEADGATE_PUBLIC_URL" placeholder:"URL" help:"Where people and programs reach the API, such as https://leads.example.com; it is in links to the console, snippets of forms and the documentation's samples. Unless set it is what a request was sent to."`
	CaptchaURL     string               `name:"captcha-url" from:"LEADGATE_CAPTCHA_URL" hidden:"" help:"Asked instead of the captchas' own verifiers; for tests."`
	Contact        string               `name:"contact" from:"LEADGATE_CONTACT" placeholder:"support@example.com" help:"Whom the owner of a suspended workspace can ask. API clients are told."`
	PostgresDisk   config.Bytes         `name:"postgres-disk" from:"LEADGATE_POSTGRES_DISK" default:"0" help:"How large the disk of Postgres is, such as 500GiB, so that the admin pages say when it is full; 0: not known."`
	DrainDelay     time.Duration        `name:"drain-delay" from:"LEADGATE_DRAIN_DELAY" default:"0s" help:"How long a gateway that is to stop still serves, while /readyz says 503, so that balancers stop sending to it first."`
	Grace          time.Duration        `name:"grace" from:"LEADGATE_GRACE" default:"20s" help:"How long a stop may take."`
	MemoryBudget   config.Bytes         `name:"memory-budget" from:"LEADGATE_MEMORY_BUDGET" default:"0" help:"Bytes that requests may hold together, such as 64MiB; 0: a quarter of the memory limit."`
	OTLP           string               `name:"otlp-endpoint" from:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"OpenTelemetry collector that traces are sent to, as OTLP over HTTP; OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and the other variables of its SDK count too."`
	OTLPTraces     string               `name:"otlp-traces-endpoint" from:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" placeholder:"URL" help:"The whole URL that traces are posted to, instead."`
	AccessLog      bool                 `name:"access-log" from:"LEADGATE_ACCESS_LOG" default:"true" negatable:"" help:"Log a line per request, not only failures."`
}

// Check returns everything that is wrong with the settings that all commands share.
func (c *cli) Check() (mistakes []error) {
	if c.DBConns < 2 || c.DBConns > 1000 {
		mistakes = append(mistakes, config.Invalid("db-conns", "must be between 2 and 1000, not %d", c.DBConns))
	}
	if c.ConnLife < time.Second || c.ConnLife > 24*time.Hour {
		mistakes = append(mistakes, config.Invalid("db-conn-lifetime", "must be between 1s and 24h, not %s", c.ConnLife))
	}
	if _, err := secret.Parse(c.SecretKeys.Reveal()); err != nil {
		mistakes = append(mistakes, config.Invalid("secret-keys", "%v", err))
	}
	if db, err := pg.Open(c.DatabaseURL.Reveal(), pg.Options{}); err != nil {
		mistakes = append(mistakes, config.Invalid("database-url", "%v", err))
	} else {
		db.Close()
	}
	return mistakes
}

// secrets returns the keys of stored secrets.
func (c *cli) secrets() *secret.Keyring {
	keys, _ := secret.Parse(c.SecretKeys.Reveal()) // Check has read it
	return keys
}

// Check returns everything that is wrong with the settings of serve.
func (s *settings) Check() (mistakes []error) {
	wrong := func(flag, format string, args ...any) {
		mistakes = append(mistakes, config.Invalid(flag, format, args...))
	}
	for flag, address := range map[string]string{"listen": s.Listen, "admin-listen": s.AdminListen} {
		if err := config.CheckAddress(address); err != nil {
			wrong(flag, "%v", err)
		}
	}
	if because := admintoken.Check(s.AdminToken.Reveal()); because != "" {
		wrong("admin-token", "%s", because)
	}
	if err := rdb.Check(s.RedisURL.Reveal()); err != nil {
		wrong("redis-url", "%v", err)
	}
	if err := s.redisTLS().Check(); err != nil {
		wrong("redis-ca", "%v", err)
	}
	for _, cidr := range s.AllowCIDRs {
		if _, err := webhook.ParseAllow([]string{cidr}, s.AllowHTTP); err != nil {
			wrong("webhook-allow-cidrs", "%v", err)
		}
	}
	if _, err := s.trusted(); err != nil {
		wrong("trusted-proxies", "%v", err)
	}
	if s.publicURL() == "" && s.PublicURL != "" {
		wrong("public-url", "must be http:// or https://, a host and maybe a port, without a path: the API and the console are at its root")
	}
	if _, ok := tenant.ParseOrigin(s.CaptchaURL); s.CaptchaURL != "" && !ok {
		wrong("captcha-url", "must be an http or https URL")
	}
	if err := lifecycle.CheckBudget(int64(s.MemoryBudget)); err != nil {
		wrong("memory-budget", "%v", err)
	}
	if s.Contact != "" && tenant.CheckName(s.Contact) != "" {
		wrong("contact", "must be at most %d characters without control characters", tenant.MaxName)
	}
	if _, err := s.collector().URL(); err != nil {
		wrong("otlp-endpoint", "%v", err)
	}
	if s.ReadOnly && s.Migrate {
		wrong("read-only", "must not be set with --migrate, which writes")
	}
	if s.DrainDelay < 0 || s.DrainDelay > 5*time.Minute {
		wrong("drain-delay", "must be between 0s and 5m, not %s", s.DrainDelay)
	}
	if s.Grace < time.Second || s.Grace > 10*time.Minute {
		wrong("grace", "must be between 1s and 10m, not %s", s.Grace)
	}
	return mistakes
}

// publicURL returns the origin that is set; "": none is, or it is not one.
func (s *settings) publicURL() string {
	origin, ok := tenant.ParseOrigin(s.PublicURL)
	if u, err := url.Parse(s.PublicURL); !ok || err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" ||
		u.Fragment != "" {
		return ""
	}
	return origin
}

// trusted returns the networks of the proxies in front.
func (s *settings) trusted() ([]netip.Prefix, error) {
	a, err := webhook.ParseAllow(s.TrustedProxies, false)
	return a.Networks, err
}

func (s *settings) collector() telemetry.Collector {
	return telemetry.Collector{Base: s.OTLP, Traces: s.OTLPTraces}
}

func (s *settings) redisTLS() rdb.TLS {
	return rdb.TLS{CA: s.RedisCA, Cert: s.RedisCert, Key: s.RedisKey}
}
