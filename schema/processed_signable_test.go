package schema_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

func frozen(t testing.TB, name string) []byte {
	t.Helper()
	value, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestSignableIsThatOfEveryReleasedVersion(t *testing.T) {
	for version := 1; version <= 3; version++ {
		value := frozen(t, fmt.Sprintf("processed_crash.v%d.bin", version))
		want, err := schema.Decode[schema.ProcessedCrash](value)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.DecodeSignable(value)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if same, err := s.Encode(); err != nil || !bytes.Equal(same, value) {
			t.Errorf("version %d: other bytes: %v", version, err)
		}
		s.Crash.SignatureVersion, s.Crash.RulesetHash, s.Crash.Signature = 9, "other rules", "other"
		s.Crash.ProtoSignature, s.Crash.SignatureNotes = "another | one", []string{"noted", "twice"}
		changed, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := schema.Decode[schema.ProcessedCrash](changed)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		want.SignatureVersion, want.RulesetHash, want.Signature = 9, "other rules", "other"
		want.ProtoSignature, want.SignatureNotes = "another | one", []string{"noted", "twice"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("version %d: %s", version, d)
		}
		want.Modules, want.UnloadedModules, want.CrashpadAnnotations, want.MemoryMapCount = nil, nil, nil, nil
		want.Dumps, want.ThrottleRule, want.ThrottleRate, want.Notes = nil, "", 0, nil
		want.Facts, want.ProtectedFacts, want.AdditionalDumps = nil, nil, nil
		want.Threads[1] = schema.Thread{}
		if d := cmp.Diff(want, &s.Crash); d != "" {
			t.Errorf("version %d: read: %s", version, d)
		}
	}
}

func TestSignableReadsTheFirstThreadAndTheCrashingOne(t *testing.T) {
	p := &schema.ProcessedCrash{Crash: schema.CrashInfo{CrashingThread: new(int32(2))}}
	for i := range 4 {
		p.Threads = append(p.Threads, schema.Thread{ThreadID: int64(i), Frames: []schema.Frame{{Function: fmt.Sprint("f", i), Inlines: []schema.Inline{{Function: "g"}}}}})
	}
	value, err := schema.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.DecodeSignable(value)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range s.Crash.Threads {
		if read := len(got.Frames) == 1 && got.Frames[0].Function == fmt.Sprint("f", i); read != (i == 0 || i == 2) {
			t.Errorf("thread %d: %+v", i, got)
		}
	}
	if len(s.Crash.Threads) != 4 {
		t.Errorf("%d threads", len(s.Crash.Threads))
	}
}

func TestSignableRefusesWhatIsCutOrNone(t *testing.T) {
	value := frozen(t, "processed_crash.v2.bin")
	for n := range value { // what is cut behind the threads can be signed
		if s, err := schema.DecodeSignable(value[:n]); err == nil && len(s.Crash.Threads) == 0 {
			t.Errorf("%d bytes have no threads", n)
		}
	}
	for name, tc := range map[string]struct {
		value []byte
		want  error
	}{
		"a raw crash": {frozen(t, "raw_crash.v1.bin"), schema.ErrUnknownSchema},
		"no event":    {[]byte("no event"), schema.ErrNotConfluent},
		"nothing":     {nil, schema.ErrNotConfluent},
	} {
		if _, err := schema.DecodeSignable(tc.value); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A count of threads that cannot be is refused before memory is taken for it.
func TestSignableBelievesNoCountOfThreads(t *testing.T) {
	value, err := schema.Encode(&schema.ProcessedCrash{})
	if err != nil {
		t.Fatal(err)
	}
	threads := -1
	for i := range value {
		if _, err := schema.DecodeSignable(value[:i]); err == nil {
			threads = i - 1 // their end is the last byte that is needed
			break
		}
	}
	for _, count := range []int64{1 << 40, -1 << 40, 1 << 62, -1 << 63} {
		lying := binary.AppendVarint(bytes.Clone(value[:threads]), count)
		lying = append(lying, make([]byte, 64)...)
		if _, err := schema.DecodeSignable(lying); err == nil {
			t.Errorf("%d threads in 64 bytes", count)
		}
	}
}

func FuzzSignable(f *testing.F) {
	for version := 1; version <= 3; version++ {
		f.Add(frozen(f, fmt.Sprintf("processed_crash.v%d.bin", version)))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		p, whole := schema.Decode[schema.ProcessedCrash](value)
		s, err := schema.DecodeSignable(value)
		if err != nil {
			if whole == nil {
				t.Fatalf("an event that cannot be signed: %v", err)
			}
			return
		}
		out, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := schema.Decode[schema.ProcessedCrash](out)
		if (err == nil) != (whole == nil) || whole == nil && !cmp.Equal(p, again, cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })) {
			t.Errorf("another event: %v, %v", whole, err)
		}
	})
}
