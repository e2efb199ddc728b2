package signature

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"

	"aftershock/internal/memo"
)

// Bounds of a ruleset's caches. At worst they hold 16,384 names of 2 KiB with
// their keys and as many results of 2 KiB, 64 MiB; a program's crashes are about
// 10 MiB.
const (
	cachedNames     = 1 << 14
	maxCachedName   = 1 << 10 // bytes of a name, and of its key
	cachedResults   = 1 << 14
	maxCachedResult = 2 << 10 // bytes of a proto-signature, and of a note
)

// cache is what a ruleset has made of frames and of crashes. A nil cache is
// empty and stays so.
type cache struct {
	seed    maphash.Seed
	least   float64 // the ruleset's probability
	names   *memo.Table[nameKey, name]
	results *memo.Table[resultKey, Result]
}

func newCache() *cache {
	return &cache{
		seed:  maphash.MakeSeed(),
		names: memo.New[nameKey, name](cachedNames), results: memo.New[resultKey, Result](cachedResults),
	}
}

// nameKey is what a name is made of.
type nameKey struct {
	text string
	kind kind
}

func (c *cache) hash(key nameKey) uint64 {
	return maphash.String(c.seed, key.text) + uint64(key.kind)
}

func (c *cache) name(key nameKey) *name {
	if c == nil {
		return nil
	}
	return c.names.Get(c.hash(key), key)
}

// putName keeps a name and returns it. A large one is not kept.
func (c *cache) putName(key nameKey, n name) *name {
	if c == nil || len(key.text) > maxCachedName || len(n.text) > maxCachedName {
		return &n
	}
	hash := c.hash(key)
	if !c.names.Wants(hash) {
		return &n
	}
	// The texts may be parts of a crash that is large.
	same := n.text == key.text
	key.text = strings.Clone(key.text)
	if same {
		n.text = key.text
	} else {
		n.text = strings.Clone(n.text)
	}
	e := &memo.Entry[nameKey, name]{Key: key, Value: n}
	c.names.Put(hash, e)
	return &e.Value
}

// resultKey stands for all that a result is made of: a hash of each text under a
// seed that nobody knows, mixed in two ways.
type resultKey [2]uint64

// hashFactor is odd and has its bits everywhere.
const hashFactor = 0x9e3779b97f4a7c15

func (k *resultKey) mix(h uint64) {
	k[0] = (k[0]^h)*hashFactor + 1
	k[1] = bits.RotateLeft64(k[1], 23) + h
}

// mixText mixes a text that most crashes lack; which field it is of has a place
// of its own.
func (k *resultKey) mixText(seed maphash.Seed, field uint64, text string) {
	if text != "" {
		k.mix(maphash.String(seed, text) + field)
	}
}

// rare is a value that few crashes have, with what it is: clients choose some of
// them, and none may be taken for another's.
type rare struct {
	what   uint8
	text   string
	number int64
}

const (
	rareHang uint8 = iota
	rareSize
	rareBitFlip
)

// key makes the key of a crash. ok is false for crashes whose results are not
// kept: those with values of odd types, and exceptions that came as JSON.
func (c *cache) key(crash *Crash) (k resultKey, ok bool) {
	if c == nil || crash.unreadable != 0 || crash.JavaException != nil {
		return k, false
	}
	if t := crash.thread(crash.threadIndex()); t != nil {
		if t.unreadable || !c.mixFrames(&k, t.Frames, crash.OS) {
			return k, false
		}
		if noMemory(t.LastError) {
			k.mix(hashFactor)
		}
	}
	texts := [...]string{
		crash.OS, crash.Reason, crash.DumpStatus, crash.JSLargeAllocationFailure, crash.AbortMessage,
		crash.AsyncShutdownTimeout, crash.IPCChannelError, crash.IPCMessageName, crash.JavaStackTrace,
	}
	for i := range texts {
		k.mixText(c.seed, uint64(i), texts[i])
	}
	for _, name := range crash.AdditionalDumps {
		k.mixText(c.seed, uint64(len(texts)), name)
	}
	if crash.Hang != nil { // an empty text is a hang as well
		k.mix(maphash.Comparable(c.seed, rare{what: rareHang, text: *crash.Hang}))
	}
	if size := crash.OOMAllocationSize; size != nil {
		k.mix(maphash.Comparable(c.seed, rare{what: rareSize, number: *size}))
	}
	if crash.BitFlipPercent >= likelyBitFlip {
		k.mix(maphash.Comparable(c.seed, rare{what: rareBitFlip}))
	}
	k[0] ^= k[0] >> 32 // the table takes the low bits
	return k, true
}

// ofThread is the key of a result that holds the index of the thread.
func (k resultKey) ofThread(crash *Crash) resultKey {
	k[1] += uint64(crash.threadIndex())*hashFactor + 1
	return k
}

// result returns what is kept, or nil.
func (c *cache) result(key resultKey, crash *Crash) *Result {
	if r := c.results.Get(key[0], key); r != nil {
		return r
	}
	key = key.ofThread(crash)
	return c.results.Get(key[0], key)
}

// mixFrames mixes what names are made of. It returns false for a stack with
// values of odd types.
func (c *cache) mixFrames(k *resultKey, frames []Frame, os string) bool {
	left := maxFrames
	for i := range frames {
		f := &frames[i]
		if f.unreadable {
			return false
		}
		for j := range f.Inlines {
			if left == 0 {
				return true
			}
			if f.Inlines[j].unreadable {
				return false
			}
			k.mix(c.frameHash(flatFrame{f, &f.Inlines[j]}, os))
			left--
		}
		if left == 0 {
			return true
		}
		k.mix(c.frameHash(flatFrame{Frame: f}, os))
		left--
	}
	return true
}

func (c *cache) frameHash(f flatFrame, os string) uint64 {
	what, text, more := f.material(os)
	h := maphash.String(c.seed, text) + uint64(what)
	if more != "" {
		h = h*hashFactor + maphash.String(c.seed, more)
	}
	if f.doubtful() {
		h = h*hashFactor + maphash.String(c.seed, f.ModuleOffset) + maphash.String(c.seed, f.Module)
	}
	if f.improbable(c.least) {
		h = ^h
	}
	if n := f.line(); n != 0 {
		h += uint64(n) * hashFactor
	} else if odd := f.lineText(); odd != none {
		h += maphash.String(c.seed, odd)
	}
	return h
}

// putResult keeps a result, unless it is large. The texts may be parts of a crash
// that is larger still.
func (c *cache) putResult(key resultKey, r Result) {
	if len(r.ProtoSignature) > maxCachedResult || !c.results.Wants(key[0]) {
		return
	}
	r.Signature, r.ProtoSignature, r.Notes = strings.Clone(r.Signature), strings.Clone(r.ProtoSignature), slices.Clone(r.Notes)
	for i, note := range r.Notes {
		if len(note) > maxCachedResult {
			return
		}
		r.Notes[i] = strings.Clone(note)
	}
	c.results.Put(key[0], &memo.Entry[resultKey, Result]{Key: key, Value: r})
}
