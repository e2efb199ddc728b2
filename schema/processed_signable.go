package schema

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/avro"
)

// Signable is a processed crash of which only what signatures are made of was
// read, to be signed again: its head changes, and all bytes behind stay.
type Signable struct {
	// Crash has all fields up to the threads. Of those the first and the crashing one
	// have been read, the others are empty, and so are the fields behind.
	Crash ProcessedCrash

	id     uint32
	behind []byte // from the field crash on
}

// DecodeSignable reads a processed crash of any released version. The result aliases
// value. It is safe for concurrent use.
func DecodeSignable(value []byte) (*Signable, error) {
	fail := func(err error) (*Signable, error) {
		return nil, fmt.Errorf("decode ProcessedCrash to sign it again: %w", err)
	}
	if len(value) < headerBytes || value[0] != 0 {
		return fail(ErrNotConfluent)
	}
	s := &Signable{id: binary.BigEndian.Uint32(value[1:headerBytes])}
	codec, ok := signables[s.id]
	if !ok {
		return fail(fmt.Errorf("%w %d", ErrUnknownSchema, s.id))
	}
	var err error
	if s.behind, err = codec.readsHead.Decode(value[headerBytes:], &s.Crash); err != nil {
		return fail(err)
	}
	rest, err := codec.facts.Decode(s.behind, &s.Crash)
	if err != nil {
		return fail(err)
	}
	if err := codec.threads(rest, &s.Crash); err != nil {
		return fail(err)
	}
	return s, nil
}

// Encode is the event in the version that it had, with the head that Crash has by
// now: everything before its field Crash.
func (s *Signable) Encode() ([]byte, error) {
	const headBytes = 1 << 10 // of most
	out := make([]byte, 0, headBytes+len(s.behind))
	out = append(out, 0)
	out = binary.BigEndian.AppendUint32(out, s.id)
	out, err := signables[s.id].head.AppendEncode(out, &s.Crash)
	if err != nil {
		return nil, fmt.Errorf("encode head of ProcessedCrash: %w", err)
	}
	return append(out, s.behind...), nil
}

// signableCodec reads parts of a released ProcessedCrash into the newest type: Avro
// has nothing between fields, and nothing around them.
type signableCodec struct {
	head      *avro.Schema // up to the field crash, as it is written
	readsHead *avro.Schema
	facts     *avro.Schema // from there to the threads
	// thread reads one of them, and skip passes over it.
	thread, skip *avro.Schema
}

// signables are the codecs by schema id.
var signables = func() map[uint32]signableCodec {
	codecs := map[uint32]signableCodec{}
	newest, err := partsOf(released.newest("ProcessedCrash").Avsc)
	for _, s := range released {
		if s.record == "ProcessedCrash" && err == nil {
			codecs[uint32(s.ID)], err = newSignableCodec(s.Avsc, newest)
		}
	}
	if err != nil {
		panic(err) // embedded, and released: a test reads every version
	}
	return codecs
}()

func newSignableCodec(avsc string, newest signableCodec) (signableCodec, error) {
	c, err := partsOf(avsc)
	if err != nil {
		return c, err
	}
	var errs [4]error
	c.readsHead, errs[3] = avro.Resolve(c.head, newest.head)
	c.facts, errs[0] = avro.Resolve(c.facts, newest.facts)
	c.skip, errs[1] = avro.Resolve(c.thread, avro.MustParse(`{"type": "record", "name": "Thread", "fields": []}`))
	c.thread, errs[2] = avro.Resolve(c.thread, newest.thread)
	return c, errors.Join(errs[:]...)
}

// partsOf are the parts of a schema's text, without readsHead and skip.
func partsOf(avsc string) (c signableCodec, err error) {
	var record struct {
		Fields []struct {
			Name    string          `json:"name"`
			Type    json.RawMessage `json:"type"`
			Default json.RawMessage `json:"default,omitempty"`
		} `json:"fields"`
	}
	if err := json.Unmarshal([]byte(avsc), &record); err != nil {
		return c, err
	}
	at := func(name string) int {
		for i, f := range record.Fields {
			if f.Name == name {
				return i
			}
		}
		return 0
	}
	crash, threads := at("crash"), at("threads")
	part := func(from, to int) (*avro.Schema, error) {
		text, err := json.Marshal(map[string]any{"type": "record", "name": "ProcessedCrash", "fields": record.Fields[from:to]})
		if err != nil {
			return nil, err
		}
		return avro.Parse(string(text))
	}
	var array struct {
		Items json.RawMessage `json:"items"`
	}
	var errs [4]error
	c.head, errs[0] = part(0, crash)
	c.facts, errs[1] = part(crash, threads)
	errs[2] = json.Unmarshal(record.Fields[threads].Type, &array)
	c.thread, errs[3] = avro.Parse(string(array.Items))
	return c, errors.Join(errs[:]...)
}

var errThreads = errors.New("the threads are cut")

// threads reads the array of threads: blocks of a count, which is negative when the
// block's length in bytes follows, and as many threads; none ends it.
func (c signableCodec) threads(in []byte, crash *ProcessedCrash) error {
	crashing := 0
	if crash.Crash.CrashingThread != nil {
		crashing = int(*crash.Crash.CrashingThread)
	}
	for {
		count, n := binary.Varint(in)
		if n <= 0 {
			return errThreads
		}
		in = in[n:]
		if count < 0 {
			if _, n = binary.Varint(in); n <= 0 {
				return errThreads
			}
			in, count = in[n:], -count
		}
		// A thread takes several bytes, so that a count that lies costs no memory.
		if count < 0 || count > int64(len(in)) {
			return errThreads
		}
		if count == 0 {
			return nil
		}
		crash.Threads = slices.Grow(crash.Threads, int(count))
		for range count {
			var thread Thread
			var err error
			if i := len(crash.Threads); i == 0 || i == crashing {
				in, err = c.thread.Decode(in, &thread)
			} else {
				in, err = c.skip.Decode(in, &struct{}{})
			}
			if err != nil {
				return err
			}
			crash.Threads = append(crash.Threads, thread)
		}
	}
}
