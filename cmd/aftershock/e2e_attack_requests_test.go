package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// inflateBombs are bodies of a few kilobytes that inflate to half a gigabyte, by encoding.
func inflateBombs() map[string][]byte {
	zeros := make([]byte, 1<<20)
	fill := func(w io.WriteCloser) {
		for range 512 {
			w.Write(zeros) //nolint:errcheck // into memory
		}
		w.Close()
	}
	var deflated, packed bytes.Buffer
	f, _ := flate.NewWriter(&deflated, flate.BestSpeed)
	fill(f)
	z, _ := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedFastest))
	fill(z)
	var zipped bytes.Buffer
	zipped.Write(newSubmission(nil, zeros).zipped().body)
	return map[string][]byte{"deflate": deflated.Bytes(), "zstd": packed.Bytes(), "gzip": bytes.Repeat(zipped.Bytes(), 512)}
}

// brokenRequests are requests that are wrong as such: bombs of every encoding, parts without
// end, lengths that lie, ten thousand header fields, two framings.
func brokenRequests(bombs map[string][]byte) func(a *attacker) (string, error) {
	const kind = "Content-Type: multipart/form-data; boundary=b\r\n"
	return func(a *attacker) (string, error) {
		var request string
		word := string(a.word())
		switch a.rand.IntN(10) {
		case 0, 1, 2:
			encoding := []string{"gzip", "deflate", "zstd"}[a.rand.IntN(3)]
			request = fmt.Sprintf("%sContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", kind, encoding, len(bombs[encoding]), bombs[encoding])
		case 3:
			parts := strings.Repeat("--b\r\nContent-Disposition: form-data; name=\""+word+"\"\r\n\r\nv\r\n", 20_000)
			request = fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", kind, len(parts), parts)
		case 4:
			request = kind + "Content-Length: 50\r\n\r\n--b\r\n" + word
		case 5:
			request = kind + "Content-Length: 9999999999999999999\r\n\r\n" + word
		case 6:
			request = kind + strings.Repeat("X-"+word+": y\r\n", 10_000) + "Content-Length: 5\r\n\r\n--b--"
		case 7:
			request = kind + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n--b--\r\n0\r\n\r\n"
		case 8:
			request = kind + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n" + word
		default:
			request = "Content-Type: multipart/form-data; boundary=" + strings.Repeat(word, 50) + "\r\nContent-Length: 5\r\n\r\n--b--"
		}
		conn, err := net.DialTimeout("tcp", a.u.collector, 5*time.Second)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))                                        //nolint:errcheck // it is open
		io.WriteString(conn, "POST /submit HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+request) //nolint:errcheck // it may be refused meanwhile
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.CloseWrite() // likewise
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return "no answer", nil // which is what some of them get
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		a.said.Write(text)
		if res.StatusCode == http.StatusOK {
			a.bad = append(a.bad, "a broken request was taken")
		}
		return fmt.Sprint(res.StatusCode), nil
	}
}
