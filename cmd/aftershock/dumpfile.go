package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file, so that of a dump with all of a process's memory only
// what is looked at is read. The file must not be cut short meanwhile. Who
// calls it unmaps it, when nothing aliases the bytes any more.
func mapFile(path string) (data []byte, unmap func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // the mapping stays
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() == 0 || !info.Mode().IsRegular() { // a pipe has no size
		data, err := os.ReadFile(path)
		return data, func() {}, err
	}
	data, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, &os.PathError{Op: "mmap", Path: path, Err: err}
	}
	return data, func() { _ = unix.Munmap(data) }, nil
}
