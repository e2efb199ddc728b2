package main

import (
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar shows somebody at a terminal how many of all are done, and how long the rest takes. A
// nil *bar shows nothing. It is safe for concurrent use.
type bar struct {
	bars *mpb.Progress
	bar  *mpb.Bar
}

// bar begins one, nil where nobody looks. what is done to each: "imported". Whoever calls it
// calls end.
func (r *run) bar(what string, all int) *bar {
	if r.screen == nil {
		return nil
	}
	bars := mpb.New(mpb.WithOutput(r.stderr), mpb.WithAutoRefresh())
	return &bar{bars, bars.AddBar(int64(all), mpb.PrependDecorators(decor.Name(what+" "), decor.CountersNoUnit("%d of %d")), mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO)))}
}

// add says that so many more are done.
func (b *bar) add(n int) {
	if b != nil {
		b.bar.IncrBy(n)
	}
}

// end leaves the bar as it is.
func (b *bar) end() {
	if b != nil {
		b.bars.Shutdown()
	}
}
