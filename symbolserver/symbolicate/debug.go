package symbolicate

import (
	"strconv"
	"time"
)

// timings are members of a group that tell one number a module.
type timings []byte

func (t *timings) add(l *lookup, number []byte) {
	if len(*t) > 0 {
		*t = append(*t, ',')
	}
	*t = appendEscaped(append(*t, '"'), []byte(l.key.DebugFile))
	*t = appendEscaped(append(*t, '/'), []byte(l.key.DebugID))
	*t = append(append(*t, `":`...), number...)
}

// appendDebug appends what v5 tells of its work when asked to by a Debug header. We
// compile a file while it arrives, so that parsing and saving are in the time of the
// download; a module without symbols counts as a download that failed, also when that
// was known.
func appendDebug(b []byte, q *request, all lookups, took time.Duration) []byte {
	var sizes, times, fails, zeros timings
	var size uint64
	var looked, loaded time.Duration
	hits, downloads := 0, 0
	for _, l := range all {
		switch {
		case l.known && l.file() != nil:
			hits++
			looked += l.took
		case l.file() != nil:
			downloads++
			size += l.File.TextBytes()
			loaded += l.took
			sizes.add(l, strconv.AppendUint(nil, l.File.TextBytes(), 10))
			times.add(l, appendSeconds(nil, l.took))
			zeros.add(l, []byte("0"))
		default:
			downloads++
			fails.add(l, appendSeconds(nil, l.took))
		}
	}
	b = append(b, `{"time":`...)
	b = appendSeconds(b, took)
	b = append(b, `,"cache_lookups":{"count":`...)
	b = strconv.AppendInt(b, int64(len(all)), 10)
	if len(all) > 0 {
		b = strconv.AppendInt(append(b, `,"hits":`...), int64(hits), 10)
	}
	b = appendSeconds(append(b, `,"time":`...), looked)
	b = append(b, `},"modules":{`...)
	b = appendModuleCounts(b, q)
	b = append(b, `},"downloads":{"count":`...)
	b = strconv.AppendInt(b, int64(downloads), 10)
	b = strconv.AppendUint(append(b, `,"size":`...), size, 10)
	b = appendSeconds(append(b, `,"time":`...), loaded)
	b = appendGroup(b, "size_per_module", sizes)
	b = appendGroup(b, "time_per_module", times)
	b = appendGroup(b, "fail_time_per_module", fails)
	b = append(b, `},"parse_sym":{"time":0`...)
	b = appendGroup(b, "time_per_module", zeros)
	b = append(b, `},"save_symcache":{"time":0`...)
	b = appendGroup(b, "time_per_module", zeros)
	return append(b, "}}"...)
}

// appendModuleCounts appends in how many jobs there are modules that were looked for.
func appendModuleCounts(b []byte, q *request) []byte {
	type count struct{ jobs, last int }
	counts := map[*lookup]*count{}
	var order lookups
	sum := 0
	for i, j := range q.jobs {
		for _, m := range q.modulesOf(j) {
			c := counts[m.lookup]
			switch {
			case m.lookup == nil || c != nil && c.last == i:
				continue
			case c == nil:
				c = &count{}
				counts[m.lookup] = c
				order = append(order, m.lookup)
			}
			c.jobs, c.last = c.jobs+1, i
			sum++
		}
	}
	var stacks timings
	for _, l := range order {
		stacks.add(l, strconv.AppendInt(nil, int64(counts[l].jobs), 10))
	}
	b = strconv.AppendInt(append(b, `"count":`...), int64(sum), 10)
	return appendGroup(b, "stacks_per_module", stacks)
}

func appendGroup(b []byte, name string, t timings) []byte {
	if len(t) == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":{`...)
	return append(append(b, t...), '}')
}

func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, d.Seconds(), 'f', -1, 64)
}
