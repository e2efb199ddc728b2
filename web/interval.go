package web

import (
	"fmt"
	"math"
)

// sampled is a share that a sample shows, in percent, with the interval in which that of all lies
// in 95 of 100 cases (Wilson's).
func sampled(part, of int) string {
	if of == 0 {
		return "of nothing"
	}
	low, high := wilson(part, of)
	return fmt.Sprintf("%s %% (%s to %s)", short(100*float64(part)/float64(of)), short(100*low), short(100*high))
}

// wilson is the interval of a share.
func wilson(part, of int) (low, high float64) {
	const z = 1.96
	n, p := float64(of), float64(part)/float64(of)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n)) / (1 + z*z/n)
	return max(0, middle-half), min(1, middle+half)
}

// short is a number with as many digits as say something.
func short(n float64) string {
	switch {
	case n == 0 || n >= 10:
		return fmt.Sprintf("%.0f", n)
	case n >= 1:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}
