package signature

import (
	"errors"
	"fmt"
	"strconv"

	"aftershock/internal/pyjson"
)

// ParseCrash reads crash_data: a JSON object with siggen's keys. It is as
// tolerant of values of odd types as siggen is: what is falsy is absent, and
// what a rule could not use makes that rule fail, and nothing else. The error
// says where the JSON is none, and quotes nothing.
func ParseCrash(data []byte) (*Crash, error) {
	d := decoder{pyjson.New(string(data))}
	c := &Crash{}
	var err error
	if e := d.Document(func() {
		if d.Peek() != '{' {
			err = errors.New("crash data: want an object")
			d.Skip()
			return
		}
		d.crash(c)
	}); e != nil {
		return nil, fmt.Errorf("crash data: %w", e)
	}
	return c, err
}

// decoder reads crash_data.
type decoder struct{ pyjson.Reader }

// string reads a string; falsy values are empty. ok is false for values of
// other types.
func (d *decoder) string() (s string, ok bool) {
	if d.Peek() == '"' {
		return d.Text(), true
	}
	return "", !truthy(d.Value())
}

// set reads a string; a value of another type adds field to those that fail.
func (d *decoder) set(s *string, c *Crash, field fields) {
	var ok bool
	if *s, ok = d.string(); !ok {
		c.unreadable |= field
	}
}

// printed reads any value as Python prints it; falsy ones are empty.
func (d *decoder) printed() string {
	if d.Peek() == '"' {
		return d.Text()
	}
	if v := d.Value(); truthy(v) {
		return str(v)
	}
	return ""
}

// compared reads a value that is only compared: other types equal nothing.
func (d *decoder) compared() string {
	s, _ := d.string()
	return s
}

// truthy is Python's bool().
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case pyjson.Int:
		return v != "0"
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *pyjson.Object:
		return len(v.Keys) > 0
	}
	return true
}

func (d *decoder) crash(c *Crash) {
	d.Object(func(key string) { d.member(c, key) })
}

func (d *decoder) member(c *Crash, key string) {
	switch key {
	case "os":
		c.OS = d.compared()
	case "reason":
		d.set(&c.Reason, c, reasonField)
	case "crashing_thread":
		c.CrashingThread = d.threadIndex()
	case "threads":
		c.Threads = d.threads()
	case "mdsw_status_string":
		c.DumpStatus = d.printed()
	case "oom_allocation_size":
		d.allocationSize(c)
	case "js_large_allocation_failure":
		c.JSLargeAllocationFailure = d.compared()
	case "abort_message":
		d.set(&c.AbortMessage, c, abortField)
	case "async_shutdown_timeout":
		d.set(&c.AsyncShutdownTimeout, c, shutdownField)
	case "ipc_channel_error":
		d.set(&c.IPCChannelError, c, ipcErrorField)
	case "ipc_message_name":
		c.IPCMessageName = d.printed()
	case "additional_minidumps":
		c.AdditionalDumps = d.names()
	case "hang":
		if v := d.Value(); v != nil {
			c.Hang = new(str(v))
		}
	case "java_stack_trace":
		d.set(&c.JavaStackTrace, c, javaTraceField)
	case "java_exception":
		c.JavaException = javaExceptionOf(d.Value())
	case "possible_bit_flips":
		c.BitFlipPercent = d.bitFlips()
	default:
		d.Skip()
	}
}

// threadIndex is Python's int(); what it cannot read is the first thread.
func (d *decoder) threadIndex() *int {
	var n int64
	switch v := d.Value().(type) {
	case pyjson.Int:
		n, _ = integer(string(v))
	case float64:
		n = int64(v)
	case string:
		n, _ = integer(v)
	case bool:
		if v {
			n = 1
		}
	}
	return new(int(n))
}

// allocationSize reads what Python's int() can read; a number is tested for 0
// before.
func (d *decoder) allocationSize(c *Crash) {
	switch v := d.Value().(type) {
	case pyjson.Int:
		n, _ := integer(string(v))
		c.OOMAllocationSize = &n
	case float64:
		if v != v || v-v != 0 {
			c.unreadable |= oomField
			return
		}
		n := int64(v)
		if n == 0 && v != 0 {
			n = 1
		}
		c.OOMAllocationSize = &n
	case string:
		n, ok := integer(v)
		if !ok && v != "" {
			c.unreadable |= oomField
		}
		if ok {
			c.OOMAllocationSize = &n
		}
	case bool:
		if v {
			c.OOMAllocationSize = new(int64(1))
		}
	}
}

func (d *decoder) names() []string {
	var names []string
	if d.Peek() != '[' {
		d.Skip()
		return nil
	}
	d.Array(func() {
		if d.Peek() == '"' {
			names = append(names, d.Text())
			return
		}
		d.Skip()
	})
	return names
}

func (d *decoder) threads() []Thread {
	if d.Peek() != '[' {
		d.Skip()
		return nil
	}
	var threads []Thread
	d.Array(func() {
		var t Thread
		d.thread(&t)
		threads = append(threads, t)
	})
	return threads
}

func (d *decoder) thread(t *Thread) {
	if d.Peek() != '{' {
		t.unreadable = true
		t.noObject = truthy(d.Value())
		return
	}
	d.Object(func(key string) {
		switch key {
		case "frames":
			t.Frames = make([]Frame, 0, 8)
			if t.unreadable = d.Peek() != '['; t.unreadable {
				o, isObject := d.Value().(*pyjson.Object)
				t.unreadable = !isObject || len(o.Keys) > 0
				return
			}
			d.Array(func() {
				if len(t.Frames) == maxFrames {
					d.Skip()
					return
				}
				t.Frames = append(t.Frames, Frame{})
				d.frame(&t.Frames[len(t.Frames)-1])
			})
		case "last_error_value":
			t.LastError = d.compared()
		default:
			d.Skip()
		}
	})
}

func (d *decoder) frame(f *Frame) {
	if d.Peek() != '{' {
		f.unreadable = true
		d.Skip()
		return
	}
	text := func(s *string) {
		var ok bool
		if *s, ok = d.string(); !ok {
			f.unreadable = true
		}
	}
	d.Object(func(key string) {
		switch key {
		case "module":
			text(&f.Module)
		case "function":
			text(&f.Function)
		case "file":
			text(&f.File)
		case "line":
			f.Line, f.lineText = d.line()
		case "offset":
			f.Offset = d.printed()
		case "module_offset":
			f.ModuleOffset = d.printed()
		case "doubt":
			f.Doubtful = truthy(d.Value())
		case "probability":
			f.Probability = d.share()
		case "inlines":
			d.inlines(f)
		case "unloaded_modules":
			d.unloaded(f)
		default:
			d.Skip()
		}
	})
	f.language = languageOf(f.File)
}

// share reads a number from 0 to 1; 0 for anything else.
func (d *decoder) share() float64 {
	v, err := strconv.ParseFloat(str(d.Value()), 64)
	if err != nil || !(v > 0 && v <= 1) {
		return 0
	}
	return v
}

// line reads a line; text is what a number that is not 0 cannot hold.
func (d *decoder) line() (number int64, text string) {
	v := d.Value()
	if i, ok := v.(pyjson.Int); ok {
		if number, _ = integer(string(i)); number != 0 {
			return number, ""
		}
	}
	if v == nil {
		return 0, ""
	}
	return 0, str(v)
}

func (d *decoder) inlines(f *Frame) {
	f.Inlines = nil
	if d.Peek() != '[' {
		f.unreadable = f.unreadable || truthy(d.Value())
		return
	}
	d.Array(func() {
		if len(f.Inlines) == maxFrames {
			d.Skip()
			return
		}
		var as Frame
		d.frame(&as)
		f.Inlines = append(f.Inlines, Inline{Function: as.Function, File: as.File, Line: as.Line, lineText: as.lineText, language: as.language, unreadable: as.unreadable})
	})
}

// unloaded reads the name of the first unloaded module.
func (d *decoder) unloaded(f *Frame) {
	f.Unloaded = ""
	if d.Peek() != '[' {
		f.unreadable = f.unreadable || truthy(d.Value())
		return
	}
	first := true
	d.Array(func() {
		if !first {
			d.Skip()
			return
		}
		first = false
		o, ok := d.Value().(*pyjson.Object)
		if !ok {
			f.unreadable = true
			return
		}
		f.Unloaded = str(o.Values["module"])
	})
}

// javaExceptionOf finds the original exception in a Sentry-like object; nil when
// there is none at all.
func javaExceptionOf(v any) *JavaException {
	if !truthy(v) {
		return nil
	}
	values, _ := member(member(v, "exception"), "values").([]any)
	if len(values) == 0 || !truthy(member(values[0], "stacktrace")) {
		return &JavaException{unreadable: javaShape}
	}
	o, ok := member(values[0], "stacktrace").(*pyjson.Object)
	if !ok {
		return &JavaException{unreadable: javaValues}
	}
	e := &JavaException{Type: "Unknown"}
	if t, ok := o.Values["type"]; ok {
		e.Type = str(t)
	}
	if m := o.Values["module"]; truthy(m) {
		e.Module = str(m)
	}
	frames, ok := o.Values["frames"].([]any)
	if !ok && truthy(o.Values["frames"]) {
		e.unreadable = javaValues
	}
	for _, v := range frames[:min(len(frames), 1)] {
		o, ok := v.(*pyjson.Object)
		if !ok {
			e.unreadable = javaValues
			break
		}
		var f JavaFrame
		for key, field := range map[string]*string{"module": &f.Module, "function": &f.Function, "filename": &f.File} {
			s, isText := o.Values[key].(string)
			if !isText && truthy(o.Values[key]) {
				e.unreadable = javaValues
			}
			*field = s
		}
		e.Frames = []JavaFrame{f}
	}
	return e
}

func member(v any, key string) any {
	if o, ok := v.(*pyjson.Object); ok {
		return o.Values[key]
	}
	return nil
}
