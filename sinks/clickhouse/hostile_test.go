package clickhouse_test

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile makes rows of values that a crafted report can bring.
type hostile struct{ *rand.Rand }

var hostileTexts = []string{
	"", "", "a", "b", "NULL", `\N`, "\x00", "a\x00b", "\xff\xfe", "\xc3", "\xed\xa0\x80", "\u202e", "😀", "tab\tline\nreturn\r", `'";\`,
	"{x:String}", "FORMAT Native", strings.Repeat("x", 127), strings.Repeat("y", 128), strings.Repeat("é", 300),
}

func (h hostile) text() string {
	if h.IntN(4) == 0 { // many different ones: dictionaries outgrow a byte
		return fmt.Sprintf("value %d", h.IntN(1<<20))
	}
	return hostileTexts[h.IntN(len(hostileTexts))]
}

func (h hostile) number() int64 {
	return []int64{0, 1, -1, 255, 256, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32, math.MaxUint32 + 1, math.MinInt64, math.MaxInt64}[h.IntN(11)]
}

func (h hostile) time() time.Time {
	return []time.Time{
		noon, noon.Add(999_999 * time.Nanosecond), noon.In(time.FixedZone("east", 14*3600)), time.Unix(0, 0), time.Unix(-1, 999_999_999),
		time.Date(1899, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC),
		time.Date(2262, 4, 11, 23, 47, 16, 0, time.UTC), time.Date(2262, 4, 11, 23, 47, 17, 0, time.UTC), time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC),
		{},
	}[h.IntN(14)]
}

// list has no element often.
func list[T any](h hostile, of func() T) []T {
	out := make([]T, max(0, h.IntN(6)-2))
	for i := range out {
		out[i] = of()
	}
	return out
}

func perhaps[T any](h hostile, of func() T) *T {
	if h.IntN(2) == 0 {
		return nil
	}
	return new(of())
}

func (h hostile) frame() schema.Frame {
	f := schema.Frame{
		Trust: h.text(), Offset: h.text(), Module: h.text(), ModuleOffset: h.text(), Function: h.text(), File: h.text(), Line: h.number(),
		Inlines: list(h, func() schema.Inline { return schema.Inline{Function: h.text(), File: h.text(), Line: h.number()} }),
	}
	f.Doubt, f.Probability = f.File+f.Trust, math.Float64frombits(uint64(f.Line))
	return f
}

func (h hostile) row(n int) sinks.Row {
	int32s := func() int32 { return int32(h.number()) }
	public := []string{"ProductName", "Version", "ReleaseChannel", "BuildID", "ProcessType", "Vendor"}
	p := &schema.ProcessedCrash{
		CrashID:          id(n, []string{"000101", "261122", "991231"}[h.IntN(3)]),
		ReceivedAt:       h.time(),
		SignatureVersion: int32(1 + h.IntN(3)), Revision: h.number() & math.MaxInt64,
		Raw:       schema.Position{Topic: h.text(), Partition: int32s(), Offset: h.number()},
		Signature: h.text(), ProtoSignature: h.text(), SignatureNotes: list(h, h.text), DumpStatus: h.text(),
		Crash: schema.CrashInfo{
			Reason: h.text(), Address: perhaps(h, h.text), CrashingThread: perhaps(h, func() int32 { return 0 }),
			ProcessID: perhaps(h, h.number), UptimeSeconds: perhaps(h, h.number),
		},
		System: schema.System{OS: h.text(), OSVersion: h.text(), CPUArch: h.text(), CPUInfo: h.text(), CPUCount: int32s()},
		Threads: list(h, func() schema.Thread {
			return schema.Thread{ThreadID: h.number(), Name: h.text(), End: h.text(), FrameCount: int32s(), Frames: list(h, h.frame)}
		}),
		Modules: list(h, func() schema.Module {
			return schema.Module{
				Filename: h.text(), Path: h.text(), Base: h.text(), Size: h.number(), Version: h.text(), CodeID: h.text(),
				DebugFile: h.text(), DebugID: h.text(), Symbols: h.text(), SymbolsSHA256: h.text(),
			}
		}),
		UnloadedModules: list(h, func() schema.UnloadedModule {
			return schema.UnloadedModule{Path: h.text(), Base: h.text(), Size: h.number(), CodeID: h.text()}
		}),
		CrashpadAnnotations: list(h, func() schema.CrashpadAnnotation {
			return schema.CrashpadAnnotation{Module: h.text(), Name: h.text(), Value: h.text()}
		}),
		Annotations: list(h, func() schema.Annotation { return schema.Annotation{Name: h.text(), Value: h.text()} }),
		Dumps: list(h, func() schema.DumpSummary {
			return schema.DumpSummary{Name: h.text(), Size: h.number(), SHA256: h.text()}
		}),
		Notes: list(h, func() schema.Note { return schema.Note{Code: h.text(), Stage: h.text(), Index: int32s()} }),
	}
	for _, name := range public[:h.IntN(len(public)+1)] {
		p.Annotations = append(p.Annotations, schema.Annotation{Name: name, Value: h.text(), Public: true})
	}
	return sinks.Row{Processed: p, Position: schema.Position{Topic: h.text(), Partition: int32s(), Offset: h.number()}}
}

// stored is everything that a population's tables hold, as ClickHouse writes it. What the
// content hash is made of is not this package's business: its length stands for it.
func stored(t *testing.T, conn driver.Conn, of clickhouse.Population) string {
	t.Helper()
	var out strings.Builder
	for _, query := range []string{
		"SELECT * EXCEPT (signature_id) REPLACE (arrayStringConcat(proto_functions, ' | ') AS proto_functions, toString(length(hex(content_hash))) AS content_hash) FROM aftershock.$rows FINAL ORDER BY signature_version, toString(crash_id)",
		"SELECT * FROM aftershock_protected.$rows FINAL ORDER BY signature_version, toString(crash_id)",
		"SELECT * FROM aftershock.$signatures FINAL ORDER BY signature_version, crash",
	} {
		text, err := conn.QueryFormat(t.Context(), "TSVWithNames", of.SQL(query))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&out, text); err != nil {
			t.Fatal(err)
		}
		text.Close()
	}
	return out.String()
}

// Whatever a value is, it is stored as it is, of a report and of a ping: the golden file was
// made by the row interface of clickhouse-go.
func TestHostileValuesAreStoredAsTheyAre(t *testing.T) {
	db, conn := open(t)
	h := hostile{rand.New(rand.NewPCG(1, 2))} //nolint:gosec // the same each time
	rows := make([]sinks.Row, 24)
	for i := range rows {
		rows[i] = h.row(i)
	}
	both := slices.Concat(rows, asPings(rows))
	for _, batch := range [][]sinks.Row{both[:1], both[1:10], both[10:30], both[30:]} {
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	const golden = "testdata/hostile_rows.tsv"
	if *update {
		if err := os.WriteFile(golden, []byte(stored(t, conn, clickhouse.Reports)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range clickhouse.Populations {
		if diff := cmp.Diff(string(want), stored(t, conn, of)); diff != "" {
			t.Errorf("%s: %s", of.View, diff)
		}
	}
}
