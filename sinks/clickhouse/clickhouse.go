// Package clickhouse keeps processed crashes in ClickHouse tables for analysts:
// what is public in the database aftershock, the rest in aftershock_protected.
//
// Rows are idempotent (see migrations/0002_crashes.sql), so that delivery at
// least once shows every crash exactly once. Which signature version the views
// show is the activation of the versions log, projected by Activate.
//
// It speaks ClickHouse's HTTP interface, the embedded server's and a real one's.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"aftershock/schema"
)

// Name of the sink.
const Name = "clickhouse"

// patience is how long a migration or a query over all rows may take.
const patience = 2 * time.Hour

// DB is a connection pool to one ClickHouse. It is safe for concurrent use.
type DB struct {
	conn driver.Conn
	// patient is for what takes its time: a server says nothing before it is done.
	patient driver.Conn
	// Annotations is the registry that the public rows are made with.
	Annotations *schema.Registry
	// Registries is the registry for the rows of crashes that were made with the one of a hash;
	// nil is Annotations for all. It is set before anything is written.
	Registries func(ctx context.Context, hash string) (*schema.Registry, error)

	announced announced
}

// Open returns the database at an HTTP URL, http://[user:password@]host:port.
// It connects when it is first used.
func Open(url string, annotations *schema.Registry) (*DB, error) {
	o, err := ch.ParseDSN(url)
	if err != nil {
		return nil, errors.New("clickhouse url: want http://[user:password@]host:port") // its error quotes the password
	}
	if o.Protocol != ch.HTTP {
		return nil, fmt.Errorf("clickhouse url %q: want http:// or https://", o.Addr)
	}
	o.Compression = &ch.Compression{Method: ch.CompressionLZ4}
	o.TransportFunc = func(t *http.Transport) (http.RoundTripper, error) { return transport{t}, nil }
	o.DialTimeout, o.ReadTimeout = 10*time.Second, time.Minute
	o.Settings = ch.Settings{
		// Blocks as we cut them, and errors told to us: the default collects
		// inserts on the server.
		"async_insert": 0,
	}
	conn, err := ch.Open(o)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	o.ReadTimeout = patience
	patient, err := ch.Open(o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clickhouse: %w", err), conn.Close())
	}
	return &DB{conn: conn, patient: patient, Annotations: annotations}, nil
}

// Close releases the connections.
func (db *DB) Close() error { return errors.Join(db.conn.Close(), db.patient.Close()) }

// Apart is another DB on the same connections, for who keeps two of them apart. It is not closed.
func (db *DB) Apart() *DB {
	return &DB{conn: db.conn, patient: db.patient, Annotations: db.Annotations, Registries: db.Registries}
}

// Ping asks whether the server answers.
func (db *DB) Ping(ctx context.Context) error { return db.conn.Ping(ctx) }

// Conn is the connection pool, for queries.
func (db *DB) Conn() driver.Conn { return db.conn }
