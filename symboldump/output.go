package symboldump

import (
	"bufio"
	"io"
	"strconv"
)

// output writes records up to a limit. After the first error it writes nothing.
type output struct {
	w    *bufio.Writer
	left int64
	err  error
	buf  []byte
}

func newOutput(w io.Writer, limit int64) *output {
	return &output{w: bufio.NewWriterSize(w, 64<<10), left: limit}
}

func (o *output) write(b []byte) {
	if o.err != nil {
		return
	}
	if o.left -= int64(len(b)); o.left < 0 {
		o.err = ErrOutputLimit
		return
	}
	_, o.err = o.w.Write(b)
}

func (o *output) text(s string) {
	if o.err != nil {
		return
	}
	if o.left -= int64(len(s)); o.left < 0 {
		o.err = ErrOutputLimit
		return
	}
	_, o.err = o.w.WriteString(s)
}

func (o *output) hex(v uint64) {
	o.buf = strconv.AppendUint(o.buf[:0], v, 16)
	o.write(o.buf)
}

func (o *output) flush() error {
	if o.err == nil {
		o.err = o.w.Flush()
	}
	return o.err
}
