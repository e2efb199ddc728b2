package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
	"aftershock/stream"
)

// rush makes many crashes of few kinds: those of the sample dumps, and of a program
// "engine" of whose stacks we know what rules make of them. It is not safe for
// concurrent use.
type rush struct {
	t     *testing.T
	kinds []kind
	rand  *rand.Rand
	made  int
}

// kind is a dump and how often it comes.
type kind struct {
	dump   []byte // compressed
	size   int
	sha256 [32]byte
	often  int
}

// The stacks of engine, innermost first. There are no symbols, so that frames are
// named by their modules.
var engineStacks = []struct {
	modules       []string
	often         int
	before, after string // signatures by the default rules, and by splitRules
}{
	{[]string{"opener", "disk", "main"}, 5, "opener", "opener | disk"},
	{[]string{"opener", "net", "main"}, 3, "opener", "opener | net"},
	{[]string{"opener", "cache", "main"}, 2, "opener", "opener | cache"},
	{[]string{"small", "grow", "main"}, 4, "small", "grow"},
	{[]string{"large", "grow", "main"}, 1, "large", "grow"},
	{[]string{"draw", "main"}, 6, "draw", "draw"},
}

// newRush makes the kinds.
func newRush(t *testing.T, seed uint64) *rush {
	t.Helper()
	r := &rush{t: t, rand: rand.New(rand.NewPCG(seed, 7))} //nolint:gosec // not a secret
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	add := func(dump []byte, often int) {
		r.kinds = append(r.kinds, kind{enc.EncodeAll(dump, nil), len(dump), sha256.Sum256(dump), often})
	}
	for _, s := range engineStacks {
		add(engineDump(s.modules), s.often)
	}
	for _, path := range samples(t) {
		dump, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		add(dump, 1)
	}
	return r
}

// engineDump is a crash of engine with that stack.
func engineDump(modules []string) []byte {
	const base, size, stackBase = 0x400000, 0x10000, 0x7fff0000
	b := minidumptest.New(minidump.CPUAMD64, minidump.MacOS) // where files without an ending are code
	pc := func(i int) uint64 { return base + uint64(i)*size + 0x123 }
	stack := minidumptest.StackAt(stackBase).Zeros(4)
	for i, name := range modules {
		b.Module(minidumptest.Module{Base: base + uint64(i)*size, Size: size, CodeFile: "/opt/engine/" + name, CodeView: minidumptest.BuildID([]byte(fmt.Sprintf("%16s", name)))})
		if i > 0 {
			stack = stack.Mark(fmt.Sprint("frame", i)).PointerTo(fmt.Sprint("frame", i+1)).Words(pc(i)).Zeros(2)
		}
	}
	stack = stack.Mark(fmt.Sprint("frame", len(modules))).Words(0, 0).Zeros(8)
	regs := minidumptest.Regs{"rip": pc(0), "rsp": stackBase, "rbp": stack.Address(minidump.CPUAMD64, "frame1")}
	return b.Thread(7, regs, stack).ExceptionWithContext(7, 11, 1, 0x10, regs).Bytes()
}

// crash is a raw crash of a kind by its weight, received then.
func (r *rush) crash(received time.Time) *schema.RawCrash {
	r.made++
	all := 0
	for _, k := range r.kinds {
		all += k.often
	}
	n := r.rand.IntN(all)
	var of kind
	for _, of = range r.kinds {
		if n -= of.often; n < 0 {
			break
		}
	}
	received = received.UTC().Truncate(time.Millisecond)
	return &schema.RawCrash{
		CrashID: schema.NewCrashID(received, 0), ReceivedAt: received,
		Annotations: map[string]string{
			"ProductName": "Engine", "Version": fmt.Sprintf("%d.%d", 1+r.rand.IntN(5), r.rand.IntN(10)), "ReleaseChannel": []string{"release", "beta", "nightly"}[r.rand.IntN(3)],
			"URL": fmt.Sprintf("https://example.invalid/%d", r.made), "Comments": fmt.Sprint("it broke, ", r.made),
		},
		Throttle: schema.Throttle{Rule: "accept_everything", Rate: 100, Result: "accept"},
		Payload:  schema.Payload{Kind: "multipart", Size: int64(of.size)},
		Dumps: []schema.Dump{{
			Name: schema.MainDump, Size: int64(of.size), SHA256: of.sha256, Encoding: schema.EncodingZstd, Inline: of.dump,
		}},
	}
}

// put appends n raw crashes as a door does, received evenly between two times, and
// returns their ids.
func (r *rush) put(k stream.Kafka, n int, from, to time.Time) []string {
	r.t.Helper()
	producer, err := k.Producer()
	if err != nil {
		r.t.Fatal(err)
	}
	defer producer.Close()
	var first error
	ids := make([]string, 0, n)
	for i := range n {
		raw := r.crash(from.Add(to.Sub(from) * time.Duration(i) / time.Duration(n)))
		value, err := schema.Encode(raw)
		if err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, raw.CrashID)
		producer.Produce(context.Background(), &kgo.Record{Topic: schema.TopicRaw, Key: []byte(raw.CrashID), Value: value, Timestamp: raw.ReceivedAt}, func(_ *kgo.Record, err error) {
			if err != nil && first == nil {
				first = err
			}
		})
	}
	if err := producer.Flush(r.t.Context()); err != nil || first != nil {
		r.t.Fatal(err, first)
	}
	return ids
}

// splitRules are the default rules and lines that take engine's first signature
// apart and merge its second and third. It returns their folder.
func splitRules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "signature", "rulesets", "v1"))); err != nil {
		t.Fatal(err)
	}
	for file, line := range map[string]string{
		"prefix_signature_re.txt":     "opener$\n",
		"irrelevant_signature_re.txt": "(small|large)$\n",
	} {
		path := filepath.Join(dir, file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, line...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRushIsWhatItSays(t *testing.T) {
	t.Parallel()
	shipped, changed := filepath.Join("..", "..", "signature", "rulesets", "v1"), splitRules(t)
	for _, s := range engineStacks {
		dump := filepath.Join(t.TempDir(), "engine.dmp")
		if err := os.WriteFile(dump, engineDump(s.modules), 0o600); err != nil {
			t.Fatal(err)
		}
		for rules, want := range map[string]string{shipped: s.before, changed: s.after} {
			out, err := program(t.Context(), "sign", "--json", "--ruleset", rules, dump).Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Signature string }
			if err := json.Unmarshal(out, &got); err != nil || got.Signature != want {
				t.Errorf("%v: %q, %v, want %q", s.modules, got.Signature, err, want)
			}
		}
	}
}
