package symbolcache

import (
	"encoding/hex"
	"os"
	"time"
)

// Arrived tells the cache that a module's symbols came at a time, or others than there were:
// a text with this SHA-256 in hexadecimal digits, which is empty when nobody has read it.
// What the cache holds for the module, unless it is that or was asked for later, is
// forgotten: the next Get asks the sources. Answers that were given stay valid until they
// are released.
func (c *Cache) Arrived(key Key, sha256 string, at time.Time) {
	path, ok := key.path()
	if !ok || c.disk == nil {
		return
	}
	hash := hashKey(c.scope, path)
	if h, err := c.disk.open(hash); err == nil {
		sum := h.file.TextSHA256()
		is, loaded := hex.EncodeToString(sum[:]), h.loaded
		h.file.Close() //nolint:errcheck,gosec // of a mapping of ours: it cannot fail
		if is == sha256 || loaded.After(at) {
			return
		}
	} else if m := c.disk.readMiss(hash); m != nil && m.at.After(at) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	for other, then := range c.arrived { // loads that began before have ended
		if now.Sub(then) > c.o.LoadTimeout {
			delete(c.arrived, other)
		}
	}
	if c.flights[hash] != nil {
		c.arrived[hash] = now
	}
	c.forget(hash)
}

// outdated tells whether symbols came after a load had begun: it may have asked before. It
// is called with the mutex held.
func (c *Cache) outdated(f *flight) bool {
	at, came := c.arrived[f.hash]
	return came && !f.began.After(at)
}

// forget drops what is known of a hash. It is called with the mutex held.
func (c *Cache) forget(hash string) {
	c.handles.drop(hash)
	c.misses.drop(hash)
	c.disk.forget(hash)
}

// forget removes a compiled file and a miss. Who has the file open keeps it.
func (d *disk) forget(hash string) {
	d.dropMiss(hash)
	path := d.path(hash)
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	//nolint:errcheck,gosec // what is left is counted the next time that room is made
	d.space.locked(func() error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return d.space.add(-info.Size())
	})
}
