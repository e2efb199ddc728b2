package schema

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// An encoder may cut an array into blocks, and tell their bytes.
func TestThreadsAreReadFromBlocksOfEachForm(t *testing.T) {
	newest := released.newest("ProcessedCrash")
	codec := signables[uint32(newest.ID)]
	written, err := partsOf(newest.Avsc)
	if err != nil {
		t.Fatal(err)
	}
	thread := func(id int64) []byte {
		b, err := written.thread.AppendEncode(nil, &Thread{ThreadID: id})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	varint := func(n int64) []byte { return binary.AppendVarint(nil, n) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	two := join(thread(1), thread(2))
	sized := join(varint(-2), varint(int64(len(two))), two)
	for name, tc := range map[string]struct {
		in   []byte
		want []int64 // ids of threads, 0 for one that was passed over
	}{
		"none":                  {varint(0), nil},
		"a block":               {join(varint(2), two, varint(0)), []int64{1, 0}},
		"blocks":                {join(varint(1), thread(1), varint(2), two, varint(0)), []int64{1, 0, 0}},
		"a block with its size": {join(sized, varint(0)), []int64{1, 0}},
		"both":                  {join(sized, varint(1), thread(3), varint(0)), []int64{1, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var crash ProcessedCrash
			if err := codec.threads(append(slices.Clone(tc.in), 7), &crash); err != nil { // other fields follow
				t.Fatal(err)
			}
			var got []int64
			for _, thread := range crash.Threads {
				got = append(got, thread.ThreadID)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("threads %v, want %v", got, tc.want)
			}
			if err := codec.threads(tc.in, new(ProcessedCrash)); err != nil {
				t.Errorf("nothing follows: %v", err)
			}
			for n := range tc.in {
				if codec.threads(tc.in[:n], new(ProcessedCrash)) == nil {
					t.Errorf("%d bytes of %d are enough", n, len(tc.in))
				}
			}
		})
	}
	if err := codec.threads(join(varint(-2)), new(ProcessedCrash)); !errors.Is(err, errThreads) {
		t.Errorf("a size that is cut: %v", err)
	}
}

// Of an event that does not say which thread crashed, the first is read.
func TestSignableReadsTheFirstThreadWhenNoneCrashed(t *testing.T) {
	long := strings.Repeat("x", 4<<10)
	value, err := Encode(&ProcessedCrash{Threads: []Thread{{ThreadID: 1, Name: long}, {ThreadID: 2}}, Modules: []Module{{Path: long}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := DecodeSignable(value)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Crash.Threads; len(got) != 2 || got[0].ThreadID != 1 || got[1].ThreadID != 0 {
		t.Errorf("%d threads", len(got))
	}
	if again, err := s.Encode(); err != nil || !bytes.Equal(again, value) {
		t.Errorf("%d bytes of %d, %v", len(again), len(value), err)
	}
}

func TestASchemaThatCannotBeSignedIsNone(t *testing.T) {
	text := released.newest("ProcessedCrash").Avsc
	newest, err := partsOf(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ from, to string }{
		"no JSON":                   {text, "none"},
		"a head of no type":         {`{"name": "crash_id", "type": "string"`, `{"name": "crash_id", "type": "text"`},
		"facts of no type":          {`{"name": "reason", "type": "string"`, `{"name": "reason", "type": "text"`},
		"facts that cannot be read": {`{"name": "reason", "type": "string"`, `{"name": "reason", "type": "int"`},
		"threads of no type":        {`{"name": "thread_id", "type": "long"`, `{"name": "thread_id", "type": "number"`},
		"threads of another type":   {`{"name": "thread_id", "type": "long"`, `{"name": "thread_id", "type": "string"`},
	} {
		changed := strings.Replace(text, tc.from, tc.to, 1)
		if changed == text {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, err := newSignableCodec(changed, newest); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
