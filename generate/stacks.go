package generate

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	"aftershock/schema"
)

// stacksFile is what package processor made of the crashes in testdata/crashes with the
// symbols in testdata/symbols: gzip of JSON, a list of walked.
//
//go:generate go test -run TestStacksAreThoseOfTheSamples -update .
//go:embed stacks.bin
var stacksFile []byte

// walked is a crash as it was walked, without its modules. Of a stack that overflowed the
// first maxWalked frames are kept.
type walked struct {
	Name    string
	Reason  string
	Crashed int
	Threads []schema.Thread
}

const maxWalked = 24

// shape is what a stack is made like.
type shape struct {
	reason string
	rust   bool
	// above are the system's frames above the first one of the program, innermost first.
	above []schema.Frame
	own   schema.Frame // that first one
	// rest are the frames below it, down to the last of the program.
	rest []schema.Frame
	// recursion: the program's first frame is there again and again.
	recursion bool
	// quiet are the other threads.
	quiet []schema.Thread
}

// shapes are those of the samples.
var shapes = sync.OnceValue(func() []shape {
	var out []shape
	for _, w := range readStacks(stacksFile) {
		out = append(out, w.shape())
	}
	return out
})

func readStacks(file []byte) (all []walked) {
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err == nil {
		err = json.NewDecoder(z).Decode(&all)
	}
	if err != nil {
		panic(err) // embedded: a test reads it
	}
	return all
}

// ownFrame tells the program's frames from those of libraries, also where these are linked
// into it.
func ownFrame(f *schema.Frame) bool { return strings.HasPrefix(f.File, "/build/") }

func (w *walked) shape() shape {
	s := shape{reason: w.Reason, rust: strings.HasPrefix(w.Name, "tidepool")}
	frames := w.Threads[w.Crashed].Frames
	first, last := 0, 0
	for i := range frames {
		if ownFrame(&frames[i]) {
			last = i
		}
	}
	for first < last && !ownFrame(&frames[first]) {
		first++
	}
	s.above, s.own = frames[:first], frames[first]
	s.recursion = first+2 < len(frames) && frames[first+1].Function == s.own.Function && frames[first+2].Function == s.own.Function
	if !s.recursion {
		s.rest = frames[first+1 : last+1]
	}
	for i := range w.Threads {
		if i != w.Crashed {
			s.quiet = append(s.quiet, w.Threads[i])
		}
	}
	return s
}
