package embedded

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// libchdb is the C interface of libchdb.so (chdb.h of chdb-core 26.7), as far
// as it is used here. Handles are kept as uintptr: they point into memory that
// Go does not manage. A process loads the library once and has one data
// directory for all its connections.
type libchdb struct {
	connect   func(argc int32, argv unsafe.Pointer) uintptr // a pointer to the handle
	closeConn func(box uintptr)

	query        func(conn uintptr, q unsafe.Pointer, qn uintptr, f unsafe.Pointer, fn uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) uintptr
	streamQuery  func(conn uintptr, q unsafe.Pointer, qn uintptr, f unsafe.Pointer, fn uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) uintptr
	streamFetch  func(conn, stream uintptr) uintptr
	streamCancel func(conn, stream uintptr)

	insert        func(conn uintptr, q unsafe.Pointer, qn uintptr, f unsafe.Pointer, fn uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) uintptr
	insertAppend  func(stream uintptr, data unsafe.Pointer, n uintptr) int32
	insertDone    func(stream uintptr) uintptr
	insertCancel  func(stream uintptr)
	insertError   func(stream uintptr) unsafe.Pointer
	insertDestroy func(stream uintptr)

	resultBuffer  func(result uintptr) unsafe.Pointer
	resultLen     func(result uintptr) uintptr
	resultError   func(result uintptr) unsafe.Pointer
	resultRead    func(result uintptr) uint64
	resultWritten func(result uintptr) uint64
	destroyResult func(result uintptr)

	signalHandlers func(enabled int32)
	sigaction      func(signal int32, action, old unsafe.Pointer) int32
	setenv         func(name, value string, overwrite int32) int32
}

// loadLibrary maps libchdb.so into this process, for good.
func loadLibrary(path string) (*libchdb, error) {
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		return nil, fmt.Errorf("load libc: %w", err)
	}
	l := new(libchdb)
	// The engine's time zone is the C library's; no setting changes the
	// server's. os.Setenv would not reach C.
	purego.RegisterLibFunc(&l.setenv, libc, "setenv")
	if l.setenv("TZ", "UTC", 1) != 0 {
		return nil, errors.New("load libchdb: time zone could not be set")
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load libchdb: %w", err)
	}
	for _, f := range []struct {
		fn      any
		library uintptr
		name    string
	}{
		{&l.connect, handle, "chdb_connect"},
		{&l.closeConn, handle, "chdb_close_conn"},
		{&l.query, handle, "chdb_query_with_params_n"},
		{&l.streamQuery, handle, "chdb_stream_query_with_params_n"},
		{&l.streamFetch, handle, "chdb_stream_fetch_result"},
		{&l.streamCancel, handle, "chdb_stream_cancel_query"},
		{&l.insert, handle, "chdb_stream_insert_with_params_n"},
		{&l.insertAppend, handle, "chdb_stream_append"},
		{&l.insertDone, handle, "chdb_stream_done"},
		{&l.insertCancel, handle, "chdb_stream_cancel_insert"},
		{&l.insertError, handle, "chdb_stream_insert_error"},
		{&l.insertDestroy, handle, "chdb_destroy_insert_stream"},
		{&l.resultBuffer, handle, "chdb_result_buffer"},
		{&l.resultLen, handle, "chdb_result_length"},
		{&l.resultError, handle, "chdb_result_error"},
		{&l.resultRead, handle, "chdb_result_rows_read"},
		{&l.resultWritten, handle, "chdb_result_rows_written"},
		{&l.destroyResult, handle, "chdb_destroy_query_result"},
		{&l.signalHandlers, handle, "chdb_set_signal_handlers_enabled"},
		{&l.sigaction, libc, "sigaction"},
	} {
		symbol, err := purego.Dlsym(f.library, f.name)
		if err != nil {
			return nil, fmt.Errorf("libchdb is not version %s: %w", LibraryVersion, err)
		}
		purego.RegisterFunc(f.fn, symbol)
	}
	l.keepSignals(func() { l.signalHandlers(0) })
	return l, nil
}

// lastSignal is Linux's highest signal number.
const lastSignal = 64

// sigactionSize is more than the C library's struct sigaction takes on any CPU.
const sigactionSize = 160

// keepSignals calls fn and then puts this process's signal handlers back.
// Connecting resets those of faults and many others to their defaults, after
// which a nil pointer in Go or a SIGTERM would end the process at once. A fault
// while fn runs still does: connect before serving.
func (l *libchdb) keepSignals(fn func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before [lastSignal + 1][sigactionSize]byte
	var known [lastSignal + 1]bool
	for s := 1; s <= lastSignal; s++ {
		// SIGKILL, SIGSTOP and the C library's own signals answer an error.
		known[s] = l.sigaction(int32(s), nil, unsafe.Pointer(&before[s])) == 0 //nolint:gosec // a C structure
	}
	fn()
	for s := 1; s <= lastSignal; s++ {
		if known[s] {
			l.sigaction(int32(s), unsafe.Pointer(&before[s]), nil) //nolint:gosec // as above
		}
	}
}

// takeError copies a C string that is an error, or answers nil.
func takeError(text unsafe.Pointer) error {
	if text == nil {
		return nil
	}
	n := 0
	for *(*byte)(unsafe.Add(text, n)) != 0 {
		n++
	}
	return errors.New(string(unsafe.Slice((*byte)(text), n))) //nolint:gosec // counted just above
}

// dataPointer is where b begins, nil when it is empty.
func dataPointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) } //nolint:gosec // for C to read

// cParams are query parameters as C arrays. It must stay reachable during the call.
type cParams struct {
	names, values       []unsafe.Pointer
	nameLens, valueLens []uintptr
}

func newCParams(params []param) cParams {
	var c cParams
	for _, p := range params {
		name, value := append([]byte(p.name), 0), append([]byte(p.value), 0)
		c.names = append(c.names, dataPointer(name))
		c.values = append(c.values, dataPointer(value))
		c.nameLens = append(c.nameLens, uintptr(len(p.name)))
		c.valueLens = append(c.valueLens, uintptr(len(p.value)))
	}
	return c
}

func arrayPointer[T any](a []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(a)) } //nolint:gosec // for C to read
