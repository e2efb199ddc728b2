package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/collector"
	"aftershock/internal/freeport"
)

func TestConnectionsAreBounded(t *testing.T) {
	for name, limit := range map[string]struct{ all, perAddress int }{"in all": {2, 9}, "of one address": {9, 2}} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			bounded := boundConnections(ln, limit.all, limit.perAddress)
			accepted := make(chan net.Conn, 8)
			go func() {
				for {
					conn, err := bounded.Accept()
					if err != nil {
						return
					}
					accepted <- conn
				}
			}()
			t.Cleanup(func() { ln.Close() })
			dial := func() net.Conn {
				conn, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				return conn
			}
			dial()
			dial()
			first := <-accepted
			<-accepted
			if n, err := dial().Read(make([]byte, 1)); err == nil { // the third is closed
				t.Fatal(n)
			}
			first.Close()
			first.Close() // counts once
			dial()
			<-accepted
			if n, err := dial().Read(make([]byte, 1)); err == nil {
				t.Fatal(n)
			}
		})
	}
}

// A refused report's connection ends in order behind serve's listener too: its client
// reads the answer although it was still sending.
func TestServeEndsConnectionsInOrder(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	addr := freeport.Address(t)
	up := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, addr, collector.New(collector.Options{Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(), Now: time.Now}), zerolog.Nop(), func() { close(up) })
	}()
	<-up
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // then it hangs
	head := "POST /submit HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5000000\r\n\r\n"
	if _, err := conn.Write(append([]byte(head), make([]byte, 5_000_000)...)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Error(res.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
