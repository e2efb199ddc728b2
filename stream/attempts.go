package stream

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// attempts count, across restarts, how often work on the same records was begun and
// did not end: a record can kill the whole process (it takes all memory, or finds a
// fault of the runtime), and would kill each process that comes after it.
//
// The count stands where the offset does: in the metadata of the group's commit. A
// mark is written before the first batch of a partition; a commit of what came of the
// batch overwrites it. Who finds a mark works on as many records as it names one by
// one, with a mark before each: so the one that kills stands alone, and is
// dead-lettered as poison instead of being worked on again. Whatever else ends an
// attempt, while the process lives, takes the mark away.
//
// Who was fenced cannot: brokers take no commit of it. So a mark names the processes whose
// attempts it counts, and one that finds its own name knows that it was not killed.
type attempts struct {
	group, topic string
	process      string // the name of this one

	mu    sync.Mutex
	parts map[int32]*attempt
}

// thisProcess names this process. One that is started again has another name.
var thisProcess = rand.Text()[:8]

// attempt is what a session knows of a partition.
type attempt struct {
	// unfinished is how often work on its first record was begun before, by are the
	// processes that did.
	unfinished int
	by         names
	// alone is how many records are still worked on one by one.
	alone int
	// marked is the mark that stands at the brokers now.
	marked *mark
}

// mark says that work on a partition was begun at an offset for the times'th time, with
// so many records, and by which processes.
type mark struct {
	offset    int64
	times, of int
	by        names
}

// names are separated by commas.
type names string

func (n names) and(name string) names {
	if n == "" {
		return names(name)
	}
	return n + names(","+name)
}

// without tells how often a name was among them, too.
func (n names) without(name string) (left names, times int) {
	for other := range strings.SplitSeq(string(n), ",") {
		if other == name {
			times++
		} else {
			left = left.and(other)
		}
	}
	return left, times
}

const (
	// maxAttempts is how often work on a record may be begun and not end: the first
	// time among others, then alone.
	maxAttempts = 4
	// maxSuspects bounds how many records are worked on one by one after a kill.
	maxSuspects = 256
)

// markFormat is what the metadata of a commit holds. Builds before this one write it
// without names, and read it without.
const markFormat = "aftershock.attempt %d of %d by %s"

func (m mark) text() string {
	if m.times == 0 {
		return ""
	}
	return fmt.Sprintf(markFormat, m.times, m.of, m.by)
}

// readMark reads the metadata of a commit: how often work was begun, and with how many
// records, and by whom; none when it holds no mark.
func readMark(metadata string) (times, of int, by names) {
	if n, _ := fmt.Sscanf(metadata, markFormat, &times, &of, &by); n < 2 || times < 0 || of < 1 {
		return 0, 0, ""
	}
	return min(times, maxAttempts), min(of, maxSuspects), by
}

// forget drops what is known of partitions that come or go.
func (a *attempts) forget(partitions []int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range partitions {
		delete(a.parts, p)
	}
}

// begin notes that the records are about to be worked on. It returns how many of them
// must be polled again, one by one, before anything is worked on; 0 for none.
func (a *attempts) begin(ctx context.Context, cl *kgo.Client, records []*kgo.Record) (suspects int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	firsts, sizes := map[int32]int64{}, map[int32]int{}
	fresh := false
	for _, r := range records {
		if sizes[r.Partition]++; sizes[r.Partition] == 1 {
			firsts[r.Partition] = r.Offset
			fresh = fresh || a.parts[r.Partition] == nil
		}
	}
	begun := map[int32]bool{}
	if fresh {
		if begun, err = a.learn(ctx, cl, firsts); err != nil {
			return 0, err
		}
	}
	for p := range firsts {
		suspects += a.parts[p].alone
	}
	if suspects > 0 && len(records) > 1 {
		for p := range begun { // nothing is begun yet
			delete(a.parts, p)
		}
		return suspects, nil
	}
	var marks []marking
	for p, first := range firsts {
		at := a.parts[p]
		if at.unfinished < maxAttempts && (begun[p] || at.alone > 0) {
			marks = append(marks, marking{p, mark{first, at.unfinished + 1, min(sizes[p], maxSuspects), at.by.and(a.process)}})
		}
	}
	a.write(ctx, cl, marks)
	return 0, nil
}

// learn asks what stands at the brokers about partitions of which nothing is known.
func (a *attempts) learn(ctx context.Context, cl *kgo.Client, firsts map[int32]int64) (begun map[int32]bool, err error) {
	found, err := kadm.NewClient(cl).FetchOffsetsForTopics(ctx, a.group, a.topic)
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return nil, Named(err, "READ", a.topic, a.group, "")
	}
	begun = map[int32]bool{}
	if a.parts == nil {
		a.parts = map[int32]*attempt{}
	}
	for p := range firsts {
		if a.parts[p] != nil {
			continue
		}
		at, _ := found.Lookup(a.topic, p)
		a.parts[p], begun[p] = a.found(readMark(at.Metadata)), true
	}
	return begun, nil
}

// found is what a mark says of a partition, without the attempts of this process.
func (a *attempts) found(times, of int, by names) *attempt {
	by, own := by.without(a.process)
	if times -= own; own > 0 && times <= 0 {
		return &attempt{}
	}
	return &attempt{unfinished: times, alone: of, by: by}
}

// poison tells whether a record has killed too often, and how often.
func (a *attempts) poison(r *kgo.Record) (times int, is bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.parts[r.Partition]
	if at == nil || at.unfinished < maxAttempts || at.alone == 0 {
		return 0, false
	}
	return at.unfinished, true
}

// ended notes that what came of the records is committed, which took the marks away.
func (a *attempts) ended(records []*kgo.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range records {
		if at := a.parts[r.Partition]; at != nil {
			at.unfinished, at.by, at.marked = 0, "", nil
			at.alone = max(at.alone-1, 0)
		}
	}
}

// survived takes the marks away: whatever hinders the work, it does not kill. A mark
// that stays because the brokers are away makes the next session careful, no more. Where
// the group has come past a mark there is none any more: the transaction was committed
// after all, or the partition is another member's.
func (a *attempts) survived(ctx context.Context, cl *kgo.Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	marked := map[int32]*mark{}
	for p, at := range a.parts {
		if at.marked != nil {
			marked[p] = at.marked
		}
	}
	if len(marked) == 0 {
		return
	}
	asking, cancel := context.WithTimeout(kadm.RequireStable(ctx), markDeadline)
	defer cancel()
	found, err := kadm.NewClient(cl).FetchOffsetsForTopics(asking, a.group, a.topic)
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return
	}
	var marks []marking
	for p, m := range marked {
		if at, ok := found.Lookup(a.topic, p); ok && at.At == m.offset {
			marks = append(marks, marking{p, mark{m.offset, a.parts[p].unfinished, max(a.parts[p].alone, 1), a.parts[p].by}})
		}
	}
	a.write(ctx, cl, marks)
	for p := range marked {
		a.parts[p].marked = nil
	}
}

// marking is a mark of a partition.
type marking struct {
	partition int32
	mark
}

// markDeadline bounds writing marks.
const markDeadline = 5 * time.Second

// write commits the offsets at which the group stands once more, with the marks. One that
// is refused, because the group changes its members or the brokers are away, is not
// there: the work goes on without.
func (a *attempts) write(ctx context.Context, cl *kgo.Client, marks []marking) {
	of := map[int32]*mark{}
	offsets := map[int32]kgo.EpochOffset{}
	for i := range marks {
		m := &marks[i]
		of[m.partition], offsets[m.partition] = &m.mark, kgo.EpochOffset{Epoch: -1, Offset: m.offset}
	}
	ctx, cancel := context.WithTimeout(ctx, markDeadline)
	defer cancel()
	_ = plainCommit{
		topic: a.topic, offsets: offsets,
		metadata: func(p int32) string { return of[p].text() },
		done:     func(p int32) { a.parts[p].marked = of[p] },
	}.do(ctx, cl) // see above
}
