package signature

import (
	"strings"
	"sync/atomic"
)

// name is a frame as normalised, and what the lists say of it.
type name struct {
	text     string
	sentinel bool
	verdict  uint32 // atomic; 0 until somebody asks
}

// What the lists say of a name.
const (
	judged uint32 = 1 << iota
	irrelevant
	prefix
	wholeModule // several in a row say no more than one
)

// judge returns what the lists say of n. Goroutines may find it out twice; they
// find the same.
func (r *Ruleset) judge(n *name) uint32 {
	if v := atomic.LoadUint32(&n.verdict); v != 0 {
		return v
	}
	v := judged
	if r.irrelevant.match(n.text) {
		v |= irrelevant
	}
	if r.prefix.match(n.text) {
		v |= prefix
	}
	if isWholeModule(n.text) {
		v |= wholeModule
	}
	atomic.StoreUint32(&n.verdict, v)
	return v
}

// isWholeModule tells whether all that is known of a frame is its module.
func isWholeModule(frame string) bool {
	if strings.HasPrefix(frame, "(unloaded") {
		return false
	}
	return hasSuffixFold(frame, ".dll") || hasSuffixFold(frame, ".so") ||
		frame == "XUL" || frame == "<name omitted>" || strings.HasPrefix(frame, "<unknown in")
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// kind is what a name is made of.
type kind uint8

const (
	cpp kind = iota // a function of C, C++ and everything that is not Rust
	rust
	sourceLine
	module
	windowsModule
	unloaded
	address
)

// functionName returns the name of a function, nil when nothing is left of it.
func (r *Ruleset) functionName(language kind, function string, f *flatFrame) *name {
	key := nameKey{function, language}
	if n := r.cache.name(key); n != nil {
		return n
	}
	text, lined, ok := r.normalizeFunction(language, function, f)
	switch {
	case !ok:
		return nil
	case lined: // another name on another line
		return &name{text: text, sentinel: r.sentinels[text]}
	}
	return r.cache.putName(key, name{text: text, sentinel: r.sentinels[text]})
}

// textName returns the name of a frame that is no function.
func (r *Ruleset) textName(k kind, text string) *name {
	key := nameKey{text, k}
	if n := r.cache.name(key); n != nil {
		return n
	}
	switch k {
	case windowsModule:
		text = strings.Trim(strings.ToLower(text), "[]")
	case module:
		text = strings.Trim(text, "[]")
	default:
	}
	return r.cache.putName(key, name{text: text, sentinel: r.sentinels[text]})
}
