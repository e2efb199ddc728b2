package freeport

import (
	"net"
	"testing"
)

func TestAPortIsGivenOnce(t *testing.T) {
	first := Row(t, 2)
	for _, port := range []int{first, first + 1} {
		ln, err := net.Listen("tcp", address(port))
		if err != nil {
			t.Fatalf("a server cannot have its port: %v", err)
		}
		defer ln.Close()
	}
	t.Run("another", func(t *testing.T) {
		if reserve(t, first+1, 1) {
			t.Error("given while it is in use")
		}
	})
}

// Its server may be dead at the moment.
func TestAPortIsKeptWhileNobodyListens(t *testing.T) {
	var first int
	t.Run("one", func(t *testing.T) {
		first = Row(t, 1)
		if reserve(t, first, 1) {
			t.Error("given twice")
		}
		if reserve(t, first-1, 2) {
			t.Error("given as part of a row")
		}
	})
	if !reserve(t, first, 1) {
		t.Error("its test has ended, and it is not free")
	}
}

func TestAPortOfAServerIsNotGiven(t *testing.T) {
	first := Row(t, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if reserve(t, ln.Addr().(*net.TCPAddr).Port, 1) {
		t.Error("given while somebody listens")
	}
	if first < lowest || first >= highest {
		t.Errorf("port %d", first)
	}
}
