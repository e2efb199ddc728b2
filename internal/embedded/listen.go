package embedded

import (
	"fmt"
	"net"
	"strconv"
)

// loopbackPort checks that addr is a fixed port on the IPv4 loopback interface
// and answers the port. The embedded servers have no users: they must not be
// reachable from elsewhere. A port chosen by the system would differ after a
// restart, and clients would not find the server again.
func loopbackPort(addr string) (int, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("listen address: %w", err)
	}
	if host != "127.0.0.1" && host != "localhost" {
		return 0, fmt.Errorf("listen address %s: embedded servers listen on 127.0.0.1 only", addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("listen address %s: want a port from 1 to 65535", addr)
	}
	return port, nil
}
