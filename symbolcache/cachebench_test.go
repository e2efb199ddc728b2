package symbolcache_test

import (
	"testing"

	"aftershock/symbolcache"
)

// What a walk pays for a module: one that is mapped, one that only is on disk,
// one that is known to be missing, and one that has to be made.
func BenchmarkGet(b *testing.B) {
	root := b.TempDir()
	for _, n := range []string{"1", "2"} {
		put(b, root, symPath(n), []byte(long(2000)))
	}
	o := symbolcache.Options{Dir: b.TempDir(), MaxOpen: 1}
	c := open(b, o, symbolcache.Dir(root))
	run := func(name string, f func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f(i)
			}
		})
	}
	run("mapped", func(int) { get(b, c, key(1)) })
	run("on disk", func(i int) { get(b, c, key(1+i%2)) })
	run("missing", func(int) { get(b, c, key(3)) })
	run("made", func(int) { get(b, open(b, symbolcache.Options{}, symbolcache.Dir(root)), key(1)) })
}
