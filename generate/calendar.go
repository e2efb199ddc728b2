package generate

import (
	"sort"
	"time"
)

const day = 24 * time.Hour

// calendar says when crashes are received: they come in the order of their time, on each
// day as many as its share, and within a day by a rhythm.
type calendar struct {
	begin time.Time
	first []int // crash of each day, and at the end the count
	hours [25]float64
}

// weekdays are how busy a day is; Sunday first.
var weekdays = [7]float64{0.82, 1.02, 1.04, 1.03, 1.02, 0.99, 0.84}

// hourly is how busy an hour is, UTC.
var hourly = [24]float64{5, 4, 3, 3, 3, 4, 5, 7, 9, 10, 10, 9, 9, 10, 11, 12, 12, 12, 12, 12, 11, 10, 8, 6}

// growth is how much busier the last day is than the first.
const growth = 0.1

func newCalendar(o Options) *calendar {
	c := &calendar{begin: o.Until.Add(-time.Duration(o.Days) * day)}
	sums := make([]float64, o.Days+1)
	for d := range o.Days {
		sums[d+1] = sums[d] + weekdays[c.begin.Add(time.Duration(d)*day).Weekday()]*(1+growth*float64(d)/float64(o.Days))
	}
	for d := range o.Days {
		c.first = append(c.first, int(float64(o.Count)*sums[d]/sums[o.Days]))
	}
	c.first = append(c.first, o.Count)
	for h, weight := range hourly {
		c.hours[h+1] = c.hours[h] + weight
	}
	return c
}

// received is when a crash was.
func (c *calendar) received(i int) time.Time {
	d := sort.SearchInts(c.first, i+1) - 1
	of := c.first[d+1] - c.first[d]
	at := (float64(i-c.first[d]) + 0.5) / float64(of) * c.hours[24]
	h := 0
	for h < 23 && c.hours[h+1] <= at {
		h++
	}
	in := time.Duration((float64(h) + (at-c.hours[h])/hourly[h]) * float64(time.Hour))
	return c.begin.Add(time.Duration(d)*day + min(in, day-time.Millisecond).Truncate(time.Millisecond))
}
