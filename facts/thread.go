package facts

// thread is what the crashing thread says beside its frames.
func (d *derivation) thread() {
	t := d.crashing()
	if t == nil {
		return
	}
	d.pub.CrashingThreadName = text(d.publicText(t.Name))
	d.pub.LastError = t.LastError
	for i := range t.Frames {
		for _, in := range t.Frames[i].Inlines {
			if in.File != "" {
				d.pub.TopmostFile = text(in.File)
				return
			}
		}
		if file := t.Frames[i].File; file != "" {
			d.pub.TopmostFile = text(file)
			return
		}
	}
}
