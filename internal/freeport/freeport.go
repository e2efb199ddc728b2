// Package freeport gives tests addresses for servers that run as other processes.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports lie below those that the kernel gives to outgoing connections
// (ip_local_port_range begins at 32,768): a port that the kernel chose for a listener may
// be a client's a moment later.
const (
	lowest  = 10_000
	highest = 32_000
)

// Address is one of 127.0.0.1 that nobody listens on. No other test gets it while this one
// runs, whichever package and process it is of, so that its server may be dead for a while.
func Address(t testing.TB) string {
	t.Helper()
	return address(Row(t, 1))
}

// Row is the first of n ports in a row, each as of Address.
func Row(t testing.TB, n int) int {
	t.Helper()
	for range 1000 {
		first := lowest + rand.IntN(highest-lowest-n) //nolint:gosec // not a secret
		if reserve(t, first, n) {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

// reserve holds the ports of UDP, which servers of TCP do not mind, until the test ends.
func reserve(t testing.TB, first, n int) bool {
	t.Helper()
	var held []net.PacketConn
	free := func() {
		for _, conn := range held {
			conn.Close() //nolint:errcheck,gosec // nothing was sent
		}
	}
	for port := first; port < first+n; port++ {
		conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", address(port))
		if err != nil {
			free()
			return false
		}
		held = append(held, conn)
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address(port))
		if err != nil {
			free()
			return false
		}
		ln.Close() //nolint:errcheck,gosec // nobody has connected
	}
	t.Cleanup(free)
	return true
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
