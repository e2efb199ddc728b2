package generate

import (
	"math"
	"math/bits"
)

// purpose keeps the draws for one thing apart from those for another: what is added to
// one leaves the others as they are.
type purpose uint64

const (
	ofID purpose = iota + 1
	ofInstall
	ofWho
	ofSignature
	ofAddress
	ofReport
	ofTexts
	ofThreads
	ofTemplate
	ofNature
	ofMachine
	ofModule
	ofRepeat
	ofPlace
)

// stream is a sequence of draws (splitmix64).
type stream uint64

// mix is splitmix64's: each bit of the result depends on each of the input.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

const golden = 0x9e3779b97f4a7c15

// streamOf is the sequence for a purpose and a number.
func streamOf(seed uint64, of purpose, n uint64) stream {
	return stream(mix(mix(seed+uint64(of)*golden) + n*golden))
}

func (s *stream) next() uint64 {
	*s += golden
	return mix(uint64(*s))
}

// below is a number from 0 to n-1.
func (s *stream) below(n int) int {
	high, _ := bits.Mul64(s.next(), uint64(n))
	return int(high)
}

// between is a number from low to high.
func (s *stream) between(low, high int) int { return low + s.below(high-low+1) }

// unit is a number from 0 to 1, without 1.
func (s *stream) unit() float64 { return float64(s.next()>>11) / (1 << 53) }

func (s *stream) chance(p float64) bool { return s.unit() < p }

// early is a number from 0 to n-1, the more often the smaller: power 1 has no preference.
func (s *stream) early(n int, power float64) int {
	return min(int(math.Pow(s.unit(), power)*float64(n)), n-1)
}

// one of a list.
func one[T any](s *stream, list []T) T { return list[s.below(len(list))] }

// weights draw an index by weight, in constant time (Walker's alias method).
type weights struct {
	keep  []float64
	other []int32
}

func newWeights(of []float64) weights {
	n := len(of)
	w := weights{make([]float64, n), make([]int32, n)}
	sum := 0.0
	for _, x := range of {
		sum += x
	}
	var small, large []int32
	for i, x := range of {
		w.keep[i], w.other[i] = x*float64(n)/sum, int32(i)
		if w.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		w.other[s] = l
		if w.keep[l] -= 1 - w.keep[s]; w.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, rest := range append(small, large...) { // 1 but for rounding
		w.keep[rest] = 1
	}
	return w
}

func (w weights) draw(s *stream) int {
	i := s.below(len(w.keep))
	if s.unit() < w.keep[i] {
		return i
	}
	return int(w.other[i])
}
