package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowReport starts a report and returns its connection and what is still to be sent.
func slowReport(t *testing.T, u *upProcess) (conn net.Conn, rest string) {
	t.Helper()
	body := "--b\r\nContent-Disposition: form-data; name=\"ProductName\"\r\n\r\nslow\r\n--b--\r\n"
	conn, err := net.Dial("tcp", u.collector)
	if err != nil {
		t.Fatal(err)
	}
	head := "POST /submit HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n"
	if _, err := conn.Write([]byte(head + body[:20])); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the door has begun to read
	return conn, body[20:]
}

// A report that has begun when SIGTERM comes is still taken and answered.
func TestFirstSignalFinishesWhatHasBegun(t *testing.T) {
	u := startUp(t)
	conn, rest := slowReport(t, u)
	defer conn.Close()
	if err := u.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if _, err := conn.Write([]byte(rest)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("answered %s", res.Status)
	}
	if err := <-u.ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	u.start()
	u.waitReady()
	u.rows(1) // it was not lost
}

// A second signal does not wait for anything.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	u := startUp(t)
	conn, _ := slowReport(t, u)
	defer conn.Close()
	for range 2 {
		if err := u.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	select {
	case err := <-u.ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(u.log.String(), "ending at once") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
	u.cmd = nil
}
