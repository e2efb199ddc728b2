package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"aftershock/collector"
	"aftershock/internal/embedded"
	"aftershock/internal/loopback"
	"aftershock/processor"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/web"
)

// upVerb runs every role in one process, with embedded servers in processes of
// their own unless real ones are named.
type upVerb struct {
	DataDir          string   `help:"Where everything is kept." default:"aftershock-data"`
	Brokers          []string `help:"Kafka brokers, host:port, instead of the embedded one."`
	KafkaListen      string   `help:"Address of the embedded broker." default:"127.0.0.1:9092"`
	ClickhouseURL    string   `help:"ClickHouse's HTTP interface, http://[user:password@]host:port, instead of the embedded one." name:"clickhouse-url"`
	ClickhouseListen string   `help:"Address of the embedded ClickHouse." default:"127.0.0.1:8123"`
	AnalystListen    string   `help:"Address at which the embedded ClickHouse shows analysts the public database alone, read-only; off for none." default:"127.0.0.1:8124"`
	RegistryListen   string   `help:"Address of the read-only schema registry." default:"127.0.0.1:8081"`
	Libchdb          string   `help:"The embedded ClickHouse's library; make libchdb fetches it."`
	Blob             string   `help:"Blob store: a directory, or s3://bucket/prefix?endpoint=URL&region=R with credentials from the environment. By default a directory in the data directory." placeholder:"DIR|URL"`
	BrokerMemory     int64    `help:"Bytes of memory the embedded broker aims to stay below." default:"536870912"`
	ClickhouseMemory int64    `help:"Bytes of memory the embedded ClickHouse may use." default:"2147483648"`
	keepFlag
	webFlags
	SymbolsListen  string   `help:"Address of the symbol server: downloads, uploads, symbolication; off for none." default:"127.0.0.1:8070"`
	SymbolStore    string   `help:"Its store, which crashes are symbolicated with before --symbols: a directory, or s3://bucket/prefix?endpoint=URL&region=R. By default a directory in the data directory." placeholder:"DIR|URL"`
	SymbolUpstream []string `help:"Server that it asks for what the store lacks; see symbols serve --upstream. Repeat it." placeholder:"[LAYOUT=]URL" sep:"none"`
	SymbolTokens   string   `help:"File of the tokens of those who may upload (symbols token add). By default symbol-tokens.json in the data directory." placeholder:"FILE" type:"path"`
	Partitions     int32    `help:"Partitions of a new topic. They never change afterwards." default:"4"`
	Replication    int16    `help:"Replicas of a new topic; 1 with the embedded broker." default:"3"`
	securityFlags
	registryFlag
	doorFlags
	processFlags
	deadLetterFlags
	symbolFlags
	healFlags
	instanceFlag
	metricsFlag

	ownTables bool // the ClickHouse is one of up's own
}

// Validate is called by the flags' parser, which calls one only.
func (v *upVerb) Validate() error {
	return errors.Join(v.doorFlags.Validate(), v.processFlags.Validate(), v.deadLetterFlags.Validate(), v.healFlags.Validate())
}

// analystsOff is the address of analysts that is none.
const analystsOff = "off"

// doorMemory is what the door and the sinks hold beside a processor: bodies that
// arrive, and batches of rows.
const doorMemory = collector.DefaultHeldBytes + 192<<20

// childStopTimeout is how long the embedded servers may take to end.
const childStopTimeout = 30 * time.Second

// Run starts everything, in the order in which the parts need each other, and
// ends it in the other.
func (v *upVerb) Run(r *run) (err error) {
	if err := v.doorFlags.check(); err != nil {
		return err
	}
	if err := v.use(true); err != nil {
		return err
	}
	v.keptIn(v.DataDir)
	if err := v.loginFlags.check(v.WebListen); err != nil {
		return err
	}
	security, err := v.kafkaSecurity()
	if err != nil {
		return err
	}
	tracing, err := v.open(r.ctx, r.log)
	if err != nil {
		return err
	}
	defer tracing.close()
	limitMemory(v.Memory + doorMemory)
	private()
	v.ownTables = v.ClickhouseURL == ""
	screen := upScreen{up: v, w: r.screen, tables: v.ownTables}
	screen.starting()
	unlock, err := embedded.LockDir(v.DataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Chmod(v.DataDir, 0o700); err != nil { //nolint:gosec // a directory; one of an earlier release is open to a group
		return fmt.Errorf("data directory: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if v.SymbolCache == "" {
		v.SymbolCache = filepath.Join(v.DataDir, "symbols")
	}
	registry := newRegistry()
	server, err := v.symbolServer(r.ctx)
	if err != nil {
		return err
	}
	caches, err := v.caches(r.log, registry, nil, v.compileBytes())
	if err != nil {
		return err
	}
	defer caches.close()
	symbols := caches.symbols
	if v.Blob == "" {
		v.Blob = filepath.Join(v.DataDir, "blobs")
	}
	blobs, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	if v.ClickhouseURL != "" {
		if v.ClickhouseURL, err = r.withPassword(v.ClickhouseURL); err != nil {
			return err
		}
	}
	servers := &servers{log: r.log, failed: make(chan error, 2)}
	defer func() { err = errors.Join(err, servers.stop()) }()
	kafka, db, err := v.servers(r.ctx, servers, stream.Kafka{Brokers: v.Brokers, Security: security, Log: r.log})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	roles := newRoles(kafka, v.instance(), r.log, registry, tracing)
	defer roles.close()
	g, ctx := errgroup.WithContext(r.ctx)
	g.Go(func() error { return servers.watch(ctx) })
	g.Go(func() error { return roles.twins.watch(ctx) })
	g.Go(func() error {
		return serve(ctx, v.MetricsListen, loopback.Guard(v.MetricsListen, v.AllowHost, observe(registry, roles.health)), r.log, nil)
	})
	g.Go(func() error {
		return serve(ctx, v.RegistryListen, loopback.Guard(v.RegistryListen, v.AllowHost, embedded.RegistryHandler(registrySchemas())), r.log, nil)
	})
	g.Go(func() error { screen.started(ctx, roles); return nil })
	g.Go(func() error { roles.versions.Run(ctx); return nil })
	g.Go(func() error { roles.process(ctx, v.processFlags, v.deadLetterFlags, blobs, caches); return nil })
	g.Go(func() error { roles.sinkClickHouse(ctx, v.deadLetterFlags, db); return nil })
	g.Go(func() error { roles.sinkTelemetry(ctx, v.deadLetterFlags); return nil })
	g.Go(func() error { roles.heal(ctx, v.healFlags, db, symbols); return nil })
	if v.WebListen != webOff {
		public, err := v.publicTables(db)
		if err != nil {
			return err
		}
		if public != db {
			defer public.Close() //nolint:errcheck // nothing is left in it
		}
		o := web.Options{
			DB: public, Metrics: web.NewMetrics(registry), APIRate: web.Rate{PerMinute: v.APIRate}, Why: &replay.Explainer{Kafka: roles.kafka, Versions: roles.versions}, TryRules: !v.on() && loopback.Is(v.WebListen),
			Operator:  &replay.Operator{Kafka: roles.kafka, DB: db, Now: time.Now, Log: r.log},
			Reprocess: processAgain(kafka),
			LoadBugs:  loadBugs(db),
			Failures:  failures(kafka),
			Begin:     replay.StartOptions{ProcessVersion: processor.Version, Registry: schema.DefaultRegistry, Share: 1},
		}
		if v.SymbolsListen != symbolsOff {
			o.SymbolsURL = "http://" + v.SymbolsListen
		}
		if v.on() {
			closing, err := v.audited(kafka, &o)
			if err != nil {
				return err
			}
			defer closing()
			o.Protected, o.Dumps = db, dumpFinder{kafka, blobs}
		}
		g.Go(func() error { return servePages(ctx, v.webFlags, v.AllowHost, o, roles.health, r) })
	}
	if server != nil {
		server.symbols, server.kafka, server.tables, server.registry, server.health, server.log = symbols, &kafka, db, registry, roles.health, r.log
		server.allowed = v.AllowHost
		g.Go(func() error { return server.serve(ctx) })
	}
	g.Go(func() error {
		return roles.collect(ctx, v.doorFlags, blobs, func(context.Context) error { return nil }) // servers has looked
	})
	r.log.Info().Str("collector", "http://"+v.CollectorListen+"/submit").Strs("kafka", kafka.Brokers).
		Str("clickhouse", redactURL(v.ClickhouseURL)).Str("registry", "http://"+v.RegistryListen).Str("symbols", v.SymbolsListen).
		Str("metrics", "http://"+v.MetricsListen+"/metrics").Str("data_dir", v.DataDir).Msg("up")
	return g.Wait()
}

// publicTables are what pages are made of: the address for analysts, which shows nothing else,
// where there is one.
func (v *upVerb) publicTables(db *clickhouse.DB) (*clickhouse.DB, error) {
	if len(v.AnalystListen) == 0 || v.AnalystListen == analystsOff || !v.ownTables {
		return db, nil
	}
	return openClickHouse("http://" + v.AnalystListen)
}

// symbolServer is up's own, with a store in the data directory that comes before all other
// sources of symbols; nil when there is to be none.
func (v *upVerb) symbolServer(ctx context.Context) (*symbolServer, error) {
	if v.SymbolStore == "" {
		v.SymbolStore = filepath.Join(v.DataDir, "symbol-store")
	}
	if v.SymbolsListen == symbolsOff {
		return nil, nil //nolint:nilnil // see above
	}
	s := &symbolServer{storeName: v.SymbolStore}
	if err := kong.ApplyDefaults(&s.flags); err != nil {
		return nil, err
	}
	if v.SymbolTokens == "" {
		v.SymbolTokens = filepath.Join(v.DataDir, "symbol-tokens.json")
	}
	s.flags.SymbolsListen, s.flags.Upstream, s.flags.Tokens = v.SymbolsListen, v.SymbolUpstream, v.SymbolTokens
	var err error
	if s.upstreams, err = s.flags.upstreams(v.SymbolRedirect); err != nil {
		return nil, err
	}
	if s.store, err = (symbolStoreFlag{v.SymbolStore}).open(ctx); err != nil {
		return nil, err
	}
	sources := []string{v.SymbolStore}
	if len(s.upstreams) > 0 {
		sources = append(sources, "http://"+dialable(v.SymbolsListen))
	}
	v.Symbols, v.Modules = append(slices.Clone(sources), v.Symbols...), append(slices.Clone(sources), v.Modules...)
	return s, nil
}

// kafkaSecurity is that of the named brokers; the embedded one has none, and
// somebody who asked for it must not believe to have it.
func (v *upVerb) kafkaSecurity() (stream.Security, error) {
	if flag := v.set(); flag != "" && len(v.Brokers) == 0 {
		return stream.Security{}, &usageError{flag + " is for real brokers, and the embedded one has neither TLS nor users: name them with --brokers, or leave it out"}
	}
	return v.security(v.Brokers)
}

// servers starts the embedded servers, or connects to the real ones, and
// prepares topics and tables.
func (v *upVerb) servers(ctx context.Context, s *servers, kafka stream.Kafka) (stream.Kafka, *clickhouse.DB, error) {
	replication := v.Replication
	if len(v.Brokers) == 0 {
		kafka.Brokers, replication = []string{v.KafkaListen}, 1
		if err := v.startBroker(ctx, s); err != nil {
			return kafka, nil, err
		}
	}
	if v.ClickhouseURL == "" {
		if err := v.startClickHouse(ctx, s); err != nil {
			return kafka, nil, err
		}
	}
	if err := prepare(ctx, kafka, topicFlags{Partitions: v.Partitions, Replication: replication}); err != nil {
		return kafka, nil, err
	}
	if len(v.Brokers) > 0 {
		if err := stream.CheckStart(ctx, kafka, upUses); err != nil {
			return kafka, nil, err
		}
	}
	db, err := openClickHouse(v.ClickhouseURL)
	if err != nil {
		return kafka, nil, err
	}
	if err := v.migrate(ctx, db, v.ClickhouseURL, s.log); err != nil {
		return kafka, nil, errors.Join(err, db.Close())
	}
	return kafka, db, nil
}

func (v *upVerb) startBroker(ctx context.Context, s *servers) error {
	return s.start(ctx, "broker", v.KafkaListen, embedded.BrokerReady(v.KafkaListen),
		"broker", "--sync-writes", "--dir", filepath.Join(v.DataDir, "broker"), "--listen", v.KafkaListen, "--memory-limit", fmt.Sprint(v.BrokerMemory))
}

func (v *upVerb) startClickHouse(ctx context.Context, s *servers) error {
	library, err := embedded.FindLibrary(v.Libchdb)
	if err != nil {
		return err
	}
	dir := filepath.Join(v.DataDir, "clickhouse")
	token, err := embedded.Token(dir)
	if err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	args := []string{
		"clickhouse", "--dir", dir, "--listen", v.ClickhouseListen, "--library", library, "--max-memory", fmt.Sprint(v.ClickhouseMemory),
	}
	if v.AnalystListen != analystsOff {
		args = append(args, "--analyst-listen", v.AnalystListen)
	}
	for _, name := range v.AllowHost {
		args = append(args, "--allow-host", name)
	}
	if err := s.start(ctx, "clickhouse", v.ClickhouseListen, embedded.ClickHouseReady("http://"+v.ClickhouseListen), args...); err != nil {
		return err
	}
	v.ClickhouseURL = "http://aftershock:" + token + "@" + v.ClickhouseListen
	return nil
}

// servers are the child processes.
type servers struct {
	log      zerolog.Logger
	children []*embedded.Child
	failed   chan error
}

// start runs this binary's hidden verb as a child and waits until it answers.
func (s *servers) start(ctx context.Context, name, listen string, ready func(context.Context) error, verb ...string) error {
	// Else another server on that port would look like ours.
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "tcp", listen); err == nil {
		conn.Close() //nolint:errcheck,gosec // only its being there counts
		return fmt.Errorf("%s: something listens on %s already (choose another address with its flag)", name, listen)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	child, err := embedded.Start(ctx, embedded.ChildOptions{
		Name: name, Exe: exe, Args: append([]string{"--log-json", "--log-level", s.log.GetLevel().String(), "embedded"}, verb...), Ready: ready, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.children = append(s.children, child)
	go func() { s.failed <- <-child.Failed() }()
	return nil
}

// watch returns when a child has been given up, or ctx is done.
func (s *servers) watch(ctx context.Context) error {
	select {
	case err := <-s.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// stop ends the children, the last started first.
func (s *servers) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), childStopTimeout)
	defer cancel()
	var errs []error
	for i := len(s.children) - 1; i >= 0; i-- {
		errs = append(errs, s.children[i].Stop(ctx))
	}
	return errors.Join(errs...)
}

func registrySchemas() []embedded.RegistrySchema {
	var out []embedded.RegistrySchema
	for _, s := range schema.Schemas() {
		out = append(out, embedded.RegistrySchema{ID: schema.WireID(s.ID), Subject: s.Subject, Version: s.Version, Schema: s.Avsc})
	}
	return out
}
