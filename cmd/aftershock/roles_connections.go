package main

import (
	"net"
	"net/netip"
	"sync"
)

// Connections of one server: those that have not sent a request yet count as well.
const (
	maxConnections           = 8192
	maxConnectionsPerAddress = 6144
)

// boundedListener closes connections that are too many as soon as they come, so
// that the process never runs out of descriptors.
type boundedListener struct {
	net.Listener
	all, perAddress int

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]int
}

func boundConnections(ln net.Listener, all, perAddress int) *boundedListener {
	return &boundedListener{Listener: ln, all: all, perAddress: perAddress, peers: map[netip.Addr]int{}}
}

// Accept returns the next connection that is not too many.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var peer netip.Addr
		if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
			peer = a.AddrPort().Addr().Unmap()
		}
		if l.take(peer) {
			return &boundedConn{Conn: conn, free: sync.OnceFunc(func() { l.give(peer) })}, nil
		}
		conn.Close() //nolint:errcheck,gosec // it was never used
	}
}

func (l *boundedListener) take(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == l.all || l.peers[peer] == l.perAddress {
		return false
	}
	l.open++
	l.peers[peer]++
	return true
}

func (l *boundedListener) give(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

// boundedConn can still end one side only, as net/http does behind an answer.
type boundedConn struct {
	net.Conn
	free func()
}

// Close ends the connection.
func (c *boundedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// CloseWrite ends its sending side.
func (c *boundedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
