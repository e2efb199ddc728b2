package embedded

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"unsafe"
)

// insertChunkBytes is what an insert hands to the engine at a time; much larger
// chunks are slower.
const insertChunkBytes = 1 << 20

// param is a query parameter, {name:Type} in the statement.
type param struct{ name, value string }

// rowCounts is what a statement did.
type rowCounts struct{ read, written uint64 }

// engineConn is one connection to the engine in this process: its own current
// database, settings and temporary tables. It runs one statement at a time;
// callers on several goroutines wait for each other.
type engineConn struct {
	lib    *libchdb
	mu     sync.Mutex
	box    uintptr // what connect answered
	handle uintptr // what the other calls want
}

// open opens a connection. All connections of a process name the same
// directory; the first starts the engine, closing the last stops it.
func (l *libchdb) open(dir string, settings ...string) (*engineConn, error) {
	args := append([]string{"clickhouse", "--path=" + dir}, settings...)
	argv := make([]unsafe.Pointer, len(args)+1)
	for i, arg := range args {
		argv[i] = dataPointer(append([]byte(arg), 0))
	}
	c := &engineConn{lib: l}
	l.keepSignals(func() { c.box = l.connect(int32(len(args)), arrayPointer(argv)) })
	runtime.KeepAlive(argv)
	if c.box == 0 {
		return nil, errors.New("libchdb: the engine did not start on " + dir)
	}
	c.handle = **(**uintptr)(unsafe.Pointer(&c.box)) //nolint:gosec // C memory, behind an address that Go must not see as a pointer
	return c, nil
}

// close ends the connection.
func (c *engineConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lib.closeConn(c.box)
}

// query runs one statement and hands its whole result to emit, in a slice that
// is valid until emit returns. emit may be nil.
func (c *engineConn) query(statement, format string, params []param, emit func([]byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _, err := c.consume(c.call(c.lib.query, statement, format, params), emit)
	return err
}

// text runs one statement and answers its result as tab-separated text.
func (c *engineConn) text(statement string) (string, error) {
	var out string
	err := c.query(statement, "TSV", nil, func(b []byte) error {
		out = string(b)
		return nil
	})
	return out, err
}

// stream runs a SELECT and hands its result to emit piece by piece, as query
// does. When emit fails the statement is cancelled.
func (c *engineConn) stream(statement, format string, params []param, emit func([]byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stream := c.call(c.lib.streamQuery, statement, format, params)
	if stream == 0 {
		return errNoResult
	}
	defer c.lib.destroyResult(stream)
	if err := takeError(c.lib.resultError(stream)); err != nil {
		return err
	}
	for {
		n, _, err := c.consume(c.lib.streamFetch(c.handle, stream), emit)
		if err != nil {
			c.lib.streamCancel(c.handle, stream)
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// insert runs an INSERT whose data, in the given format, are read from data. A
// read error cancels it; but blocks of about a million rows that the engine has
// completed by then stay, so data should be known to be whole.
func (c *engineConn) insert(statement, format string, params []param, data io.Reader) (rowCounts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stream := c.call(c.lib.insert, statement, format, params)
	if stream == 0 {
		return rowCounts{}, errNoResult
	}
	// Destroying a stream that is not done cancels it; cancelling first also
	// frees the connection when the engine waits for more data.
	done := false
	defer func() {
		if !done {
			c.lib.insertCancel(stream)
		}
		c.lib.insertDestroy(stream)
	}()
	if err := takeError(c.lib.insertError(stream)); err != nil {
		return rowCounts{}, err
	}
	chunk := make([]byte, insertChunkBytes)
	for {
		n, err := readChunk(data, chunk)
		if n > 0 && c.lib.insertAppend(stream, dataPointer(chunk), uintptr(n)) != 0 {
			if err := takeError(c.lib.insertError(stream)); err != nil {
				return rowCounts{}, err
			}
			return rowCounts{}, errors.New("libchdb: the insert ended before its data")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return rowCounts{}, err
		}
	}
	done = true
	_, counts, err := c.consume(c.lib.insertDone(stream), nil)
	if err == nil {
		err = takeError(c.lib.insertError(stream))
	}
	return counts, err
}

// readChunk fills buf as far as it can. Unlike io.ReadFull it keeps an end of
// the data (io.EOF) apart from data cut short (io.ErrUnexpectedEOF).
func readChunk(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	return n, err
}

var errNoResult = errors.New("libchdb: no result")

// call runs one of the functions that take a statement, a format and parameters.
func (c *engineConn) call(
	fn func(uintptr, unsafe.Pointer, uintptr, unsafe.Pointer, uintptr, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, uintptr) uintptr,
	statement, format string, params []param,
) uintptr {
	q, f, p := []byte(statement), []byte(format), newCParams(params)
	defer func() {
		runtime.KeepAlive(q)
		runtime.KeepAlive(f)
		runtime.KeepAlive(p)
	}()
	return fn(c.handle, dataPointer(q), uintptr(len(q)), dataPointer(f), uintptr(len(f)),
		arrayPointer(p.names), arrayPointer(p.nameLens), arrayPointer(p.values), arrayPointer(p.valueLens), uintptr(len(params)))
}

// consume hands a result to emit and frees it.
func (c *engineConn) consume(result uintptr, emit func([]byte) error) (n int, counts rowCounts, err error) {
	if result == 0 {
		return 0, counts, errNoResult
	}
	defer c.lib.destroyResult(result)
	if err := takeError(c.lib.resultError(result)); err != nil {
		return 0, counts, err
	}
	counts = rowCounts{read: c.lib.resultRead(result), written: c.lib.resultWritten(result)}
	n = int(c.lib.resultLen(result))
	if n > 0 && emit != nil {
		err = emit(unsafe.Slice((*byte)(c.lib.resultBuffer(result)), n)) //nolint:gosec // C memory, n bytes of it
	}
	return n, counts, err
}
