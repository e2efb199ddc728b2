package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"aftershock/internal/loopback"
	"aftershock/replay"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/web"
)

// webFlags say where the pages are, and for whom.
type webFlags struct {
	WebListen string        `help:"Address of the pages; off for none." default:"127.0.0.1:8080"`
	Trackers  string        `help:"File that says where bugs are looked at and filed, as YAML (docs/web.md)." name:"web-trackers" placeholder:"FILE" type:"existingfile"`
	States    string        `help:"File of the thresholds of what is new, back, rising or quiet: parameters of the question \"states\", as YAML." name:"web-states" placeholder:"FILE" type:"existingfile"`
	Remember  time.Duration `help:"How long the pages may show what the tables answered before; 0 to ask them for each page. Who reloads a page always sees what there is." name:"web-remember" default:"20s"`
	loginFlags
	APIRate int `help:"Requests a minute that the pages' API takes from one viewer or address; 0 for no bound." default:"300" name:"api-rate"`
}

// webOff is the address of pages that there are none of.
const webOff = "off"

// webVerbs are about the pages.
type webVerbs struct {
	Serve webVerb      `cmd:"" default:"withargs" help:"Serve the pages: top crashers, signatures, crashes, and every question."`
	User  webUserVerbs `cmd:"" help:"Who may log in to the pages, and what they may."`
}

// webVerb serves the pages.
type webVerb struct {
	webFlags
	ClickhouseURL         string   `help:"ClickHouse's HTTP interface, http://[user:password@]host:port. What may be read there is what everybody sees: by default up's address for analysts, which shows what is public." name:"clickhouse-url" default:"http://127.0.0.1:8124"`
	ProtectedURL          string   `help:"The same with a user who may read what is protected, for viewers with that role alone. Without it these pages have nothing protected." name:"protected-url" placeholder:"URL"`
	ProtectedPasswordFile string   `help:"File with the password for --protected-url; or set $AFTERSHOCK_PROTECTED_PASSWORD." placeholder:"FILE"`
	BugsURL               string   `help:"The same with a user who may load bugs (role bugs): viewers with that role may, at /api/BugsImport/. Without it nobody can here." name:"bugs-url" placeholder:"URL"`
	Blob                  string   `help:"Blob store, for viewers with the role dumps: a directory, or s3://bucket/prefix?endpoint=URL&region=R." placeholder:"DIR|URL"`
	Brokers               []string `help:"Kafka brokers, host:port: who sees what is kept in crash.audit there, and dumps are found by it. Nobody can log in without them."`
	Versions              bool     `help:"Show versions and how far they are, the rules and why crashes have their signatures, and let rules be tried: read of --brokers." name:"web-versions"`
	securityFlags
	registryFlag
	metricsFlag
}

// protectedPassword is the environment's variable with the password of --protected-url.
const protectedPassword = "AFTERSHOCK_PROTECTED_PASSWORD"

// webUses are what the pages do with topics, beside finding dumps.
var webUses = stream.Uses{Topics: []stream.Use{auditUse}}

// check refuses flags that do not go together.
func (v *webVerb) check() error {
	switch {
	case v.WebListen == webOff:
		return &usageError{"--web-listen: want an address"}
	case !v.on() && (v.ProtectedURL != "" || v.Blob != "" || v.BugsURL != ""):
		return &usageError{"--protected-url, --blob and --bugs-url are for viewers who have logged in: add --web-users or --oidc-issuer"}
	case v.Versions && len(v.Brokers) == 0:
		return &usageError{"--web-versions: add --brokers"}
	case v.on() && len(v.Brokers) == 0:
		return &usageError{"--web-users and --oidc-issuer: who sees what is kept in Kafka: add --brokers"}
	}
	return v.loginFlags.check(v.WebListen)
}

// Run serves until SIGTERM.
func (v *webVerb) Run(r *run) error {
	if err := v.check(); err != nil {
		return err
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	o := web.Options{DB: db, APIRate: web.Rate{PerMinute: v.APIRate}}
	kafka, err := v.kafka(r)
	if err != nil {
		return err
	}
	if v.on() {
		closing, err := v.forViewers(r, kafka, &o)
		if err != nil {
			return err
		}
		defer closing()
	}
	if v.BugsURL != "" {
		bugs, err := r.tables(v.BugsURL)
		if err != nil {
			return fmt.Errorf("--bugs-url: %w", err)
		}
		defer bugs.Close() //nolint:errcheck // nothing is left in it
		o.LoadBugs = loadBugs(bugs)
	}
	tracing, err := v.open(r.ctx, r.log)
	if err != nil {
		return err
	}
	defer tracing.close()
	registry := newRegistry()
	health := newHealth(registry)
	o.Metrics = web.NewMetrics(registry)
	g, ctx := errgroup.WithContext(r.ctx)
	if v.Versions {
		if err := stream.CheckStart(r.ctx, kafka, versionUses); err != nil {
			return err
		}
		kafka, done, err := kafka.Keep()
		if err != nil {
			return err
		}
		defer done()
		versions := stream.NewFollowing(kafka)
		g.Go(func() error { versions.Run(ctx); return nil })
		o.Why, o.TryRules = &replay.Explainer{Kafka: kafka, Versions: versions}, !v.on() && loopback.Is(v.WebListen)
		o.Operator = &replay.Operator{Kafka: kafka, Now: time.Now, Log: r.log}
	}
	g.Go(func() error {
		return serve(ctx, v.MetricsListen, loopback.Guard(v.MetricsListen, v.AllowHost, observe(registry, health)), r.log, nil)
	})
	g.Go(func() error { return servePages(ctx, v.webFlags, v.AllowHost, o, health, r) })
	return g.Wait()
}

// kafka is the cluster that the flags name; nobody asks it when they name none.
func (v *webVerb) kafka(r *run) (stream.Kafka, error) {
	if len(v.Brokers) == 0 {
		return stream.Kafka{}, nil
	}
	return kafkaFlags{v.Brokers, v.securityFlags, v.registryFlag}.kafka(r.log)
}

// forViewers opens what only viewers who have logged in see.
func (v *webVerb) forViewers(r *run, kafka stream.Kafka, o *web.Options) (closing func(), err error) {
	uses := webUses
	if v.Blob != "" {
		if err := storeExists(v.Blob); err != nil {
			return nil, err
		}
		blobs, err := openBlobs(r.ctx, v.Blob)
		if err != nil {
			return nil, err
		}
		o.Dumps = dumpFinder{kafka, blobs}
		uses.Topics = append(uses.Topics[:len(uses.Topics):len(uses.Topics)], dumpUse)
	}
	if err := stream.CheckStart(r.ctx, kafka, uses); err != nil {
		return nil, err
	}
	if closing, err = v.audited(kafka, o); err != nil || v.ProtectedURL == "" {
		return closing, err
	}
	db, err := v.protected(r.ctx)
	if err != nil {
		closing()
		return nil, err
	}
	o.Protected = db
	closeAudit := closing
	return func() {
		db.Close() //nolint:errcheck,gosec // nothing is left in it
		closeAudit()
	}, nil
}

// audited lets viewers in, and keeps what they see in Kafka.
func (f *webFlags) audited(kafka stream.Kafka, o *web.Options) (closing func(), err error) {
	if o.Login, err = f.login(); err != nil {
		return nil, err
	}
	if o.Proxies, err = f.proxies(); err != nil {
		return nil, err
	}
	audit, err := stream.NewAudit(kafka)
	if err != nil {
		return nil, err
	}
	o.Audit = audit
	return audit.Close, nil
}

// protected connects to the tables of what is protected.
func (v *webVerb) protected(ctx context.Context) (*clickhouse.DB, error) {
	raw, password := v.ProtectedURL, os.Getenv(protectedPassword)
	if v.ProtectedPasswordFile != "" {
		if password != "" {
			return nil, &usageError{"two passwords: remove --protected-password-file or $" + protectedPassword}
		}
		text, err := readSmall(v.ProtectedPasswordFile, maxPasswordBytes)
		if err != nil {
			return nil, fmt.Errorf("--protected-password-file: %w", err)
		}
		if password = strings.TrimRight(string(text), "\r\n"); password == "" {
			return nil, fmt.Errorf("--protected-password-file: %s is empty", v.ProtectedPasswordFile)
		}
	}
	if u, err := url.Parse(raw); err == nil && password != "" {
		user := "default"
		if u.User != nil {
			if _, has := u.User.Password(); has {
				return nil, &usageError{"two passwords: remove that of --protected-url, which everybody on this machine can see"}
			}
			user = u.User.Username()
		}
		u.User = url.UserPassword(user, password)
		raw = u.String()
	}
	db, err := openClickHouse(raw)
	if err != nil {
		return nil, fmt.Errorf("--protected-url: %w", err)
	}
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("clickhouse: %w (is %s the right --protected-url?)", err, redactURL(raw)), db.Close())
	}
	return db, nil
}

// loadBugs stores bugs that come by the pages.
func loadBugs(db *clickhouse.DB) func(context.Context, []clickhouse.Bug, bool) (int, error) {
	return func(ctx context.Context, all []clickhouse.Bug, replace bool) (int, error) {
		return db.LoadBugs(ctx, all, replace, time.Now())
	}
}

// maxStatesBytes bounds the file of thresholds.
const maxStatesBytes = 64 << 10

// states are the thresholds of the file; nil without one.
func (f *webFlags) states() (map[string]string, error) {
	if f.States == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.States)
	if err == nil && len(text) > maxStatesBytes {
		err = fmt.Errorf("more than %d bytes", maxStatesBytes)
	}
	var all map[string]string
	if err == nil {
		err = yaml.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--web-states: %v", err)}
	}
	return all, nil
}

// servePages serves pages until ctx is done.
func servePages(ctx context.Context, f webFlags, names []string, o web.Options, health *health, r *run) error {
	o.Now, o.Log, o.Remember = time.Now, r.log, f.Remember
	var err error
	if o.States, err = f.states(); err != nil {
		return err
	}
	if f.Trackers != "" {
		text, err := os.ReadFile(f.Trackers)
		if err == nil {
			o.Trackers, err = web.ReadTrackers(text)
		}
		if err != nil {
			return &usageError{fmt.Sprintf("--web-trackers: %v", err)}
		}
	}
	pages, err := web.New(o)
	if err != nil {
		return err
	}
	defer pages.Close()
	ready := health.part("web")
	return serve(ctx, f.WebListen, loopback.Named(f.WebListen, f.names(names), pages), r.log, func() { ready(nil) })
}
