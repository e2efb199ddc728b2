package stream

import "time"

// pace decides how many records a batch has. A poll that comes back small is
// committed at once, for the latency; while polls come back full, batches grow
// until one works for batchTarget, for the throughput, and shrink when they do not.
// What a batch only waits for, its size is not to blame for.
type pace struct {
	n, most int
	alone   int // so many records to come are worked on one by one
}

const (
	firstPoll = 16
	// batchTarget is well below a third of the transaction's timeout, and of what
	// a rebalance waits for a member.
	batchTarget = 500 * time.Millisecond
)

func newPace(most int) *pace { return &pace{n: min(firstPoll, most), most: most} }

// next is how many records to poll at most.
func (p *pace) next() int {
	if p.alone > 0 {
		return 1
	}
	return p.n
}

// took learns from a batch that was committed, and that only waited for some of the time.
func (p *pace) took(records int, all, waited time.Duration) {
	d := all - waited
	switch {
	case p.alone > 0:
		p.alone -= records
	case d > batchTarget:
		p.n = max(int(int64(p.n)*int64(batchTarget)/int64(d)), 1)
	case d < batchTarget/2 && waited > batchTarget: // much has come meanwhile, and may have to wait as long again
		p.n = min(max(records*int(batchTarget/max(d, time.Millisecond)), p.n), p.most)
	case records == p.n && d < batchTarget/2:
		p.n = min(2*p.n, p.most)
	case records < p.n/4:
		p.n = max(p.n/2, min(firstPoll, p.most))
	}
}

// broke learns from one that could not be committed: less is more likely to be.
func (p *pace) broke() { p.n = max(p.n/4, 1) }

// oneByOne is for records of which one is to blame for something: alone, each shows
// whether it is.
func (p *pace) oneByOne(records int) { p.alone = max(p.alone, records) }
