package web

import (
	"fmt"
	"math"
	"strconv"
)

// doubts are what a page says of a name that may be wrong, by the column's code.
var doubts = map[string]string{
	"public":         "name may be wrong: its symbol begins far below",
	"other_function": "name may be wrong: another function lies here",
}

// doubtOf says why a frame's name may be wrong; nothing when it has none, or is not doubted. A
// code that this release does not know is shown as it is.
func doubtOf(function, code string) string {
	if function == "" || code == "" {
		return ""
	}
	if text, ok := doubts[code]; ok {
		return text
	}
	return "name may be wrong: " + code
}

// Below these percents a frame says how likely it is true, and need not be read.
const (
	sure     = 95
	unlikely = 75
)

// likelihood is how likely a frame is true, as text, where that is not as good as sure; 0 says
// nothing.
func likelihood(column string) (text string, low bool) {
	p, err := strconv.ParseFloat(column, 64)
	percent := math.Round(100 * p)
	if err != nil || p <= 0 || percent >= sure {
		return "", false
	}
	return fmt.Sprintf("%.0f %%", percent), percent < unlikely
}

// Doubtful is how many names of the stack may be wrong.
func (c *oneCrash) Doubtful() (n int) {
	for i := range c.Frames {
		if c.Frames[i].Doubt != "" {
			n++
		}
	}
	return n
}

// name is the function with ~ before it when it may be wrong; of a frame without one, where it is.
func (f *frame) name() string {
	switch {
	case f.Function == "":
		return f.Module + " " + f.Offset
	case f.Doubt != "":
		return "~" + f.Function
	}
	return f.Function
}

// unsure is how a frame was found and how likely it is true, where that is not sure.
func (f *frame) unsure() string {
	if f.Likely == "" {
		return ""
	}
	return f.Trust + ", " + f.Likely + " true"
}
