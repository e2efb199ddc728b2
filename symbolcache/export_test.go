package symbolcache

// Idle waits until nothing is loaded and no source is asked whether it is well.
func (c *Cache) Idle() { c.loads.Wait() }
