package ask_test

import (
	"cmp"
	"slices"
	"strconv"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// stored is a crash as Neighbours sees it.
type stored struct {
	id, day         string
	received        time.Time
	lacking, frames int
}

// The crash to begin with is the newest of those with the fewest modules that lack symbols, and of more
// than one frame, on the newest days that have enough crashes together; what lies around a crash is of
// all days.
func TestTheCrashToBeginWith(t *testing.T) {
	db := clickhousetest.Open(t, clickhousetest.ServeTables(t))
	fill(t, db, crashes(t, 3000))
	most, err := ask.Query{Name: "most", SQL: "SELECT signature FROM aftershock.crashes GROUP BY signature ORDER BY count() DESC LIMIT 1"}.Ask(t.Context(), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	signature := most.Rows[0][0]
	a, err := ask.Query{Name: "all", SQL: "SELECT toString(crash_id), toString(day), toUnixTimestamp64Milli(received_at), length(missing_symbols), length(proto_functions) FROM aftershock.crashes WHERE signature = {signature:String}"}.
		Ask(t.Context(), db, map[string]string{"signature": signature})
	if err != nil {
		t.Fatal(err)
	}
	var all []stored
	for _, row := range a.Rows {
		ms, _ := strconv.ParseInt(row[2], 10, 64)
		lacking, _ := strconv.Atoi(row[3])
		frames, _ := strconv.Atoi(row[4])
		all = append(all, stored{row[0], row[1], time.UnixMilli(ms).UTC(), lacking, frames})
	}
	byTime := func(a, b stored) int { return cmp.Or(a.received.Compare(b.received), cmp.Compare(a.id, b.id)) }
	slices.SortFunc(all, byTime)
	// best computes the one to begin with of the newest days.
	best := func(enough int) string {
		days := map[string]int{}
		for _, c := range all {
			days[c.day]++
		}
		var newest []string
		for day := range days {
			newest = append(newest, day)
		}
		slices.Sort(newest)
		slices.Reverse(newest)
		have, last := 0, ""
		for _, day := range newest {
			if have >= enough {
				break
			}
			have, last = have+days[day], day
		}
		var among []stored
		for _, c := range all {
			if c.day >= last {
				among = append(among, c)
			}
		}
		deep := func(c stored) int { return min(max(c.frames-1, 0), 1) }
		return slices.MaxFunc(among, func(a, b stored) int {
			return cmp.Or(cmp.Compare(b.lacking, a.lacking), cmp.Compare(deep(a), deep(b)), byTime(a, b))
		}).id
	}
	bounds := []int{1, len(all), 10 * len(all)}
	for n := 1; n < len(all); n++ {
		if best(n) != best(n+1) { // n crashes are those of whole days, and another day has a better one
			bounds = append(bounds, n, n+1)
		}
	}
	if len(bounds) < 5 {
		t.Fatal("it makes no difference how many are enough")
	}
	at := len(all) / 2
	for _, enough := range bounds {
		text, err := ask.Text(signature)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ask.Neighbours.Ask(t.Context(), db, map[string]string{
			"crash_id": all[at].id, "received": ask.Time(all[at].received), "signature": text, "from": ask.Time(all[0].received), "to": ask.Time(all[len(all)-1].received.Add(time.Second)),
			"enough": strconv.Itoa(enough), "product": "", "channel": "", "process_type": "", "os": "",
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{strconv.Itoa(len(all)), strconv.Itoa(at), all[0].id, all[len(all)-1].id, all[at-1].id, all[at+1].id, best(enough), "1"}
		if !slices.Equal(got.Rows[0], want) {
			t.Errorf("enough are %d of %d:\n%q, want\n%q", enough, len(all), got.Rows[0], want)
		}
	}
}
