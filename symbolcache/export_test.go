package symbolcache

// Idle waits until nothing is loaded and no source is asked whether it is well.
func (c *Cache) Idle() { c.loads.Wait() }

// Used is how many bytes the compiled files have.
func (c *Cache) Used() int64 { return c.disk.space.used.Load() }
