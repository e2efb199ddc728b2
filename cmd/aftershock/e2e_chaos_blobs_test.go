package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aftershock/internal/bucket/buckettest"
)

// disk is a small file system for blobs that can be full.
type disk struct {
	dir     string
	mounted bool
}

// newDisk mounts one. Where that is not allowed it is a directory, and never full.
func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{dir: t.TempDir()}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size=96m,mode=700"); err != nil {
		t.Logf("no small file system for the blobs, it will not be full: %v", err)
		return d
	}
	d.mounted = true
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

// ballast fills the disk.
func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

func (d *disk) fill() {
	exec.Command("fallocate", "-l", "96m", d.ballast()).Run() //nolint:errcheck // it takes what there is
	f, err := os.OpenFile(d.ballast(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for {
		if _, err := f.Write(chunk); err != nil {
			return // full
		}
	}
}

func (d *disk) free() { os.Remove(d.ballast()) } //nolint:errcheck // it may not be there

// bucketServer is an S3 server.
type bucketServer struct {
	*buckettest.Server
	t *testing.T
}

// bucket starts an S3 server and returns the name of a store in it.
func (f *fleet) bucket() string {
	s := buckettest.Start(f.t)
	f.victims = append(f.victims, bucketServer{s, f.t})
	return s.Name(buckettest.Bucket + "/blobs")
}

func (s bucketServer) name() string { return "s3" }

func (s bucketServer) kill(down time.Duration) {
	s.Kill(s.t)
	time.Sleep(down)
	// The kernel may take its time to clear the port.
	addr := strings.TrimPrefix(s.URL, "http://")
	for range 100 {
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.Restart(s.t)
}

// stop kills it as well: its process is the script's affair.
func (s bucketServer) stop(d time.Duration) { s.kill(d) }
