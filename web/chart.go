package web

import (
	"fmt"
	"strconv"

	"aftershock/ask"
)

// chart is a picture of a line question: a bar for each label, of all parts together. The table
// beside it is the same for who cannot see it.
type chart struct {
	Width, Height int
	Bars          []chartBar
	First, Last   string
	Most          string
	Caption       string
}

type chartBar struct {
	X, Y, Width, Height int
	Label               string
}

const (
	chartWidth  = 720
	chartHeight = 120
	mostBars    = 366
)

// chartOf draws an answer; nil where a question has no line, or nothing to draw.
func chartOf(q ask.Query, a *ask.Answer) *chart {
	if q.Chart.Kind != ask.Line {
		return nil
	}
	label, value := -1, -1
	for i, c := range a.Columns {
		switch c.Name {
		case q.Chart.Label:
			label = i
		case q.Chart.Value:
			value = i
		}
	}
	if label < 0 || value < 0 {
		return nil
	}
	var labels []string
	sums := map[string]float64{}
	for _, row := range a.Rows {
		n, err := strconv.ParseFloat(row[value], 64)
		if err != nil {
			continue
		}
		if _, ok := sums[row[label]]; !ok {
			labels = append(labels, row[label])
		}
		sums[row[label]] += n
	}
	if len(labels) < 2 || len(labels) > mostBars {
		return nil
	}
	most := 0.0
	at := ""
	for _, l := range labels {
		if sums[l] > most {
			most, at = sums[l], l
		}
	}
	if most == 0 {
		return nil
	}
	c := &chart{Width: chartWidth, Height: chartHeight, First: labels[0], Last: labels[len(labels)-1], Most: number(most)}
	c.Caption = fmt.Sprintf("%s from %s to %s; most, %s, at %s", q.Chart.Value, c.First, c.Last, c.Most, at)
	step := float64(chartWidth) / float64(len(labels))
	for i, l := range labels {
		height := int(sums[l] / most * chartHeight)
		c.Bars = append(c.Bars, chartBar{
			X: int(float64(i) * step), Y: chartHeight - height, Width: max(1, int(step)-1), Height: height, Label: l + ": " + number(sums[l]),
		})
	}
	return c
}

// number is a number as people write it.
func number(n float64) string {
	return strconv.FormatFloat(n, 'f', -1, 64)
}
