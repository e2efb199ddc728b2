package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"aftershock/internal/freeport"
)

func openClient(t *testing.T, addr, db string, method clickhouse.CompressionMethod) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{addr}, Protocol: clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: db},
		Compression: &clickhouse.Compression{Method: method},
		Settings:    clickhouse.Settings{"max_execution_time": 60},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// wideRow has the types that our tables use.
type wideRow struct {
	ID     uint64              `ch:"id"`
	Name   *string             `ch:"name"`
	Tags   map[string]string   `ch:"tags"`
	Frames []string            `ch:"frames"`
	Pair   []any               `ch:"pair"`
	Pairs  [][]any             `ch:"pairs"`
	At     time.Time           `ch:"at"`
	Low    string              `ch:"low"`
	Deep   map[string][]uint32 `ch:"deep"`
}

const wideTable = `(id UInt64, name Nullable(String), tags Map(LowCardinality(String), String), frames Array(String),
	pair Tuple(String, UInt32), pairs Array(Tuple(UInt8, String)), at DateTime64(3, 'UTC'), low LowCardinality(String),
	deep Map(String, Array(UInt32))) ENGINE = ReplacingMergeTree ORDER BY id`

func wideRows(n int) (rows []wideRow) {
	for i := range n {
		row := wideRow{
			ID: uint64(i), Tags: map[string]string{"k": fmt.Sprint(i), "": "'\t\\"}, Frames: []string{"a", "", "ü"},
			Pair: []any{"p", uint32(i)}, Pairs: [][]any{{uint8(1), "x"}, {uint8(2), "y"}},
			At: time.UnixMilli(1_700_000_000_123 + int64(i)).UTC(), Low: fmt.Sprint(i % 3), Deep: map[string][]uint32{"d": {1, 2}},
		}
		if i%2 == 0 {
			row.Name = &row.Low
		}
		rows = append(rows, row)
	}
	return rows
}

func TestClickHouseClient(t *testing.T) {
	s, db := database(t)
	for name, method := range map[string]clickhouse.CompressionMethod{
		"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD, "gzip": clickhouse.CompressionGZIP,
	} {
		t.Run(name, func(t *testing.T) {
			conn, ctx := openClient(t, s.addr, db, method), t.Context()
			if err := conn.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			version, err := conn.ServerVersion()
			if err != nil || version.Version.Major != 26 || version.Timezone.String() != "UTC" {
				t.Errorf("version %v, %v", version, err)
			}
			table := "wide_" + name
			if err := conn.Exec(ctx, "CREATE TABLE "+table+wideTable); err != nil {
				t.Fatal(err)
			}
			rows := wideRows(1000)
			insertRows(t, conn, "INSERT INTO "+table, rows)
			var got []wideRow
			if err := conn.Select(ctx, &got, "SELECT * FROM "+table+" FINAL ORDER BY id"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rows, got); diff != "" {
				t.Errorf("read back (-want +got):\n%.2000s", diff)
			}
			checkParams(t, conn, table)
			checkExceptions(t, conn, table)
		})
	}
}

func insertRows(t *testing.T, conn driver.Conn, statement string, rows []wideRow) {
	t.Helper()
	batch, err := conn.PrepareBatch(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := batch.AppendStruct(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

func checkParams(t *testing.T, conn driver.Conn, table string) {
	t.Helper()
	var count uint64
	ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"low": "1", "ids": "[1,2,4]"}))
	if err := conn.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE low = {low:String} AND id IN {ids:Array(UInt64)}").Scan(&count); err != nil || count != 2 {
		t.Errorf("parameters: %d, %v", count, err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM "+table+" WHERE id < ? AND name IS NULL", 4).Scan(&count); err != nil || count != 2 {
		t.Errorf("bound: %d, %v", count, err)
	}
	var none []wideRow
	if err := conn.Select(t.Context(), &none, "SELECT * FROM "+table+" WHERE id > 1000000"); err != nil || len(none) != 0 {
		t.Errorf("no rows: %d, %v", len(none), err)
	}
	var threads uint64
	ctx = clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_threads": 5}))
	if err := conn.QueryRow(ctx, "SELECT toUInt64(getSetting('max_threads'))").Scan(&threads); err != nil || threads != 5 {
		t.Errorf("settings: %d, %v", threads, err)
	}
}

func checkExceptions(t *testing.T, conn driver.Conn, table string) {
	t.Helper()
	for statement, want := range map[string]int32{
		"SELECT * FROM nosuch":                 60,
		"CREATE TABLE " + table + " (a UInt8)": 57,
		"SELECT throwIf(1)":                    395,
		"SELEC":                                62,
	} {
		var exception *clickhouse.Exception
		if err := conn.Exec(t.Context(), statement); !errors.As(err, &exception) || exception.Code != want {
			t.Errorf("%s: %v, want code %d", statement, err, want)
		}
	}
	rows, err := conn.Query(t.Context(), "SELECT number, throwIf(number = 3000000) FROM numbers(10000000)")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); n == 0 || err == nil {
		t.Errorf("exception in the stream: %d rows, %v", n, err)
	}
	_ = rows.Close() // the same error again
}

func TestClickHouseRunsManyClients(t *testing.T) {
	s, db := database(t)
	conn := openClient(t, s.addr, db, clickhouse.CompressionLZ4)
	if err := conn.Exec(t.Context(), "CREATE TABLE m"+wideTable); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	const writers, batches, size = 6, 8, 200
	for w := range writers {
		clients.Go(func() {
			for b := range batches {
				rows := wideRows(size)
				for i := range rows {
					rows[i].ID += uint64((w*batches + b) * size)
				}
				insertRows(t, conn, "INSERT INTO m", rows)
				var found uint64
				query := fmt.Sprintf("SELECT count() FROM m FINAL WHERE intDiv(id, %d) = %d", size, w*batches+b)
				if err := conn.QueryRow(context.Background(), query).Scan(&found); err != nil || found != size {
					t.Errorf("batch %d of %d: %d rows, %v", b, w, found, err)
				}
			}
		})
	}
	clients.Wait()
	if got := s.mustPost(t, "SELECT count() FROM m FINAL", "database="+db); got != fmt.Sprintln(writers*batches*size) {
		t.Errorf("rows: %s", got)
	}
}

// TestClickHouseReadsTheRegistry has the engine itself consume Avro from our
// broker with schemas from our registry.
func TestClickHouseReadsTheRegistry(t *testing.T) {
	s, db := database(t)
	broker, registry := freeport.Address(t), freeport.Address(t)
	startBroker(t, t.TempDir(), broker, 0)
	serveRegistry(t, registry)
	createTopic(t, broker, "a")
	client := kafkaClient(t, broker)
	for _, x := range []byte{2, 4, 6} { // Avro's zigzag of 1, 2, 3 behind Confluent's header of schema 2
		if err := produce(t, client, "a", string([]byte{0, 0, 0, 0, 2, x})); err != nil {
			t.Fatal(err)
		}
	}
	s.mustPost(t, fmt.Sprintf(`CREATE TABLE %s.k (x Int64) ENGINE = Kafka SETTINGS kafka_broker_list = '%s', kafka_topic_list = 'a',
		kafka_group_name = 'g', kafka_format = 'AvroConfluent', format_avro_schema_registry_url = 'http://%s'`, db, broker, registry))
	s.mustPost(t, "CREATE TABLE "+db+".x (x Int64) ENGINE = MergeTree ORDER BY x")
	s.mustPost(t, "CREATE MATERIALIZED VIEW "+db+".v TO "+db+".x AS SELECT x FROM "+db+".k")
	waitFor(t, "the engine to consume", func() bool {
		return strings.HasPrefix(s.mustPost(t, "SELECT count(), sum(x) FROM "+db+".x"), "3\t6")
	})
	s.mustPost(t, "DROP TABLE "+db+".v")
	s.mustPost(t, "DROP TABLE "+db+".k")
}
