package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"aftershock/internal/loopback"
)

const (
	defaultConnections      = 8
	defaultClickHouseMemory = 2 << 30
	// shutdownGrace is how long statements may go on after ctx has ended, and
	// how long those still running then have to let themselves be cancelled.
	shutdownGrace = 5 * time.Second
	// headerTimeout and idleTimeout of HTTP connections.
	headerTimeout = 10 * time.Second
	idleTimeout   = 5 * time.Minute
)

// ClickHouseOptions configure ServeClickHouse. Dir, Listen and Library are required.
type ClickHouseOptions struct {
	// Dir holds the databases; one engine at a time.
	Dir string
	// Listen is 127.0.0.1:port of the HTTP interface.
	Listen string
	// Library is the path of libchdb.so, see FindLibrary.
	Library string
	// Connections is how many statements run at a time; 0 means 8.
	Connections int
	// MaxMemory is the engine's max_server_memory_usage in bytes; 0 means 2 GiB,
	// negative leaves the engine's own (90 % of the machine's).
	MaxMemory int64
	// DefaultDatabase is created if missing and used when a request names none;
	// empty means "default".
	DefaultDatabase string
	// Token is the password of those who may write. Without it everybody may
	// everything, reading files of the machine included: for tests.
	Token string
	// AnalystListen is 127.0.0.1:port of a second address, which shows the public database
	// alone (analyst.go); empty for none. It needs a Token.
	AnalystListen string
	// AllowHost are names by which the server may be called, beside those of this
	// machine.
	AllowHost []string
	Log       zerolog.Logger
}

// ServeClickHouse runs ClickHouse's engine behind its HTTP interface until ctx
// ends; then it lets statements finish for a few seconds and returns nil. An
// engine that is killed loses no acknowledged insert. It must have a process of
// its own, and be called once in it: the library cannot be unloaded, and a bug
// in it ends the process.
//
// What works is what clickhouse-go, curl and web tools use: statements in the
// URL or the body, settings, param_*, database, sessions, compression. An
// insert begins when its whole body has arrived and been unpacked, so that one
// cut short leaves nothing behind. Everyone on this machine may read every table,
// who has the token may write (access.go); pages in a browser may nothing, and files,
// other servers and programs are out of everybody's reach (forbidden.go).
func ServeClickHouse(ctx context.Context, o ClickHouseOptions) error {
	if err := serveClickHouse(ctx, o); err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return nil
}

func serveClickHouse(ctx context.Context, o ClickHouseOptions) (err error) {
	if _, err := loopbackPort(o.Listen); err != nil {
		return err
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.DefaultDatabase == "" {
		o.DefaultDatabase = "default"
	}
	begun := time.Now()
	lock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	spoolDir, err := emptyDir(filepath.Join(o.Dir, "spool"))
	if err != nil {
		return err
	}
	// The port before the engine: starting that takes longer to fail.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", o.Listen)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // the HTTP server has closed it unless the start failed

	var analysts net.Listener
	if o.AnalystListen != "" {
		if o.Token == "" {
			return errors.New("an address for analysts without a token")
		}
		if _, err := loopbackPort(o.AnalystListen); err != nil {
			return err
		}
		if analysts, err = new(net.ListenConfig).Listen(ctx, "tcp4", o.AnalystListen); err != nil {
			return err
		}
		defer analysts.Close() //nolint:errcheck // as above
	}

	lib, err := loadLibrary(o.Library)
	if err != nil {
		return err
	}
	pool, err := openPool(lib, filepath.Join(o.Dir, "engine"), o.DefaultDatabase, o.Connections, o.Log, engineArgs(o)...)
	if err != nil {
		return err
	}
	facade := &facade{pool: pool, spoolDir: spoolDir, token: o.Token, log: o.Log}
	versions, err := pool.control.text("SELECT version(), timezone()")
	if err != nil {
		pool.closeAll()
		return err
	}
	facade.version, facade.timezone, _ = strings.Cut(strings.TrimSpace(versions), "\t")
	functions, err := pool.control.text("SELECT lower(name) FROM system.table_functions")
	if err != nil {
		pool.closeAll()
		return err
	}
	facade.tableFunctions = set(functions)
	o.Log.Info().Str("listen", o.Listen).Str("dir", o.Dir).Str("version", facade.version).
		Dur("took_ms", time.Since(begun)).Msg("clickhouse is ready")
	servers := []addressed{{listener, loopback.Guard(o.Listen, o.AllowHost, facade)}}
	if analysts != nil {
		forAnalysts := *facade
		forAnalysts.analyst = newAnalyst(o.Connections)
		servers = append(servers, addressed{analysts, loopback.Guard(o.AnalystListen, o.AllowHost, &forAnalysts)})
	}
	return serveFacade(ctx, facade, servers)
}

func engineArgs(o ClickHouseOptions) []string {
	if o.MaxMemory == 0 {
		o.MaxMemory = defaultClickHouseMemory
	}
	if o.MaxMemory < 0 {
		return nil
	}
	return []string{"--max_server_memory_usage=" + strconv.FormatInt(o.MaxMemory, 10)}
}

// addressed is who answers at an address.
type addressed struct {
	at      net.Listener
	handler http.Handler
}

// serveFacade answers requests until ctx ends or the engine is lost.
func serveFacade(ctx context.Context, f *facade, all []addressed) error {
	requests, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRequests()
	ended := make(chan error, len(all))
	var servers []*http.Server
	for _, a := range all {
		server := &http.Server{
			Handler:           a.handler,
			ReadHeaderTimeout: headerTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			BaseContext:       func(net.Listener) context.Context { return requests },
		}
		servers = append(servers, server)
		go func() { ended <- server.Serve(a.at) }()
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-ended:
	case failure = <-f.pool.lost:
	}

	grace, stop := context.WithTimeout(requests, shutdownGrace)
	defer stop()
	for _, server := range servers {
		if err := server.Shutdown(grace); err != nil {
			f.log.Warn().Err(err).Msg("statements are cancelled to stop in time")
		}
	}
	cancelRequests()
	// Connections of the engine come back when their statements have ended.
	last, stopLast := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer stopLast()
	if err := f.pool.drain(last); err != nil {
		f.log.Warn().Err(err).Msg("engine is left to the end of the process: a statement does not end")
	}
	return failure
}

// emptyDir makes dir exist with nothing in it.
func emptyDir(dir string) (string, error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, privateDir)
}
