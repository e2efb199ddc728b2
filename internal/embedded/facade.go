package embedded

import (
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/rs/zerolog"
)

// writeStall is how long a client may take to read a piece of a result before
// it counts as gone: it holds a connection of the engine.
const writeStall = time.Minute

// pong is what ClickHouse answers to /ping, and begins its answer to / with.
const pong = "Ok.\n"

const facadePage = pong + `
This is the ClickHouse that Aftershock runs. Statements are sent to it:

  curl 'http://%[1]s/' --data-binary 'SELECT signature, count() FROM crashes GROUP BY signature ORDER BY 2 DESC'
  curl 'http://%[1]s/' --data-binary 'DESCRIBE crashes'

Everybody on this machine may read. Who writes has the token of the data directory (clickhouse/token) as password.
`

const analystPage = pong + `
This is the ClickHouse that Aftershock runs, as analysts see it: the public database, read only.

  curl 'http://%[1]s/' --data-binary 'SELECT signature, count() FROM crashes GROUP BY signature ORDER BY 2 DESC'
  curl 'http://%[1]s/' --data-binary 'DESCRIBE crashes'

No user or password is needed. docs/fields.md says what the columns are.
`

// facade is ClickHouse's HTTP interface.
type facade struct {
	pool     *pool
	spoolDir string
	version  string
	timezone string
	token    string // of those who may write; "" when everybody may
	// tableFunctions are the engine's, in small letters.
	tableFunctions map[string]bool
	// analyst is nil but for the address of analysts.
	analyst *analyst
	log     zerolog.Logger
}

func (f *facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-ClickHouse-Server-Display-Name", "aftershock embedded")
	header.Set("X-ClickHouse-Timezone", f.timezone)
	switch {
	case r.URL.Path == "/ping":
		_, _ = io.WriteString(w, pong) // the client has gone
	case r.URL.Path != "/":
		http.Error(w, "There is no handle "+r.URL.Path+": statements go to /", http.StatusNotFound)
	case r.Method == http.MethodGet && r.URL.RawQuery == "":
		header.Set("Content-Type", "text/plain; charset=UTF-8")
		header.Set("X-Content-Type-Options", "nosniff")
		page := facadePage
		if f.analyst != nil {
			page = analystPage
		}
		_, _ = fmt.Fprintf(w, page, r.Host) //nolint:gosec // plain text, which no browser takes for more
	case r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead:
		http.Error(w, "Unsupported method "+r.Method, http.StatusNotImplemented)
	default:
		f.serveStatement(w, r)
	}
}

// serveStatement answers a request that holds a statement. A panic becomes an
// exception if nothing has been answered, else it cuts the answer off.
func (f *facade) serveStatement(w http.ResponseWriter, r *http.Request) {
	out := &answer{w: w, control: http.NewResponseController(w)}
	defer func() {
		if p := recover(); p != nil {
			f.log.Error().Str("panic", fmt.Sprint(p)).Msg("request panicked")
			if out.begun {
				panic(http.ErrAbortHandler)
			}
			out.fail(exceptionf(49, "LOGICAL_ERROR", "Internal error of the HTTP interface"))
		}
		out.close()
	}()
	request, err := parseRequest(r)
	if err != nil {
		out.fail(err)
		return
	}
	out.encode(request)
	if request.queryID == "" {
		request.queryID = rand.Text()
	}
	w.Header().Set("X-ClickHouse-Query-Id", request.queryID)
	if err := f.run(r, request, out); err != nil {
		out.fail(err)
	}
}

// run runs the request's statement.
func (f *facade) run(r *http.Request, request *request, out *answer) error {
	most := uint32(maxFrameBytes)
	if f.analyst != nil { // there are no data, and nobody has waited for a place yet
		most = maxAnalystFrameBytes
	}
	body, err := openBody(r, request.packed, most)
	if err != nil {
		return err
	}
	s, err := readStatement(request.query, body)
	if err != nil {
		return err
	}
	write := false
	if f.analyst == nil {
		if write, err = f.mayWrite(r); err != nil {
			return err
		}
	}
	if err := f.forbid(request, s); err != nil {
		return err
	}
	if f.analyst != nil {
		if err := f.publicOnly(request, s); err != nil {
			return err
		}
		give, err := f.analyst.take(r)
		if err != nil {
			return err
		}
		defer give()
	}
	if isHello(request, s.text) {
		_, err := out.Write(helloBlock(f.version, f.timezone))
		return err
	}
	if r.Method != http.MethodPost && s.kind != kindSelect && s.kind != kindRead {
		return exceptionf(164, "READONLY", "Cannot execute query in readonly mode: %s wants the method POST", s.verb)
	}
	readOnly := false
	if !write {
		elsewhere, err := readerMay(request, s)
		if err != nil {
			return err
		}
		readOnly = !elsewhere || f.analyst != nil
	}
	if s.kind == kindInsert {
		return f.runInsert(r, request, s, io.MultiReader(strings.NewReader(s.data), body), out)
	}
	comment := rand.Text()
	lease, err := f.pool.acquire(r.Context(), request, comment, readOnly)
	if err != nil {
		return err
	}
	defer lease.release(request, s)
	if s.kind != kindOther {
		defer f.pool.cancelWhenGone(r.Context(), comment)()
	}
	out.format(request, s)
	emit := func(b []byte) error {
		_, err := out.Write(b)
		return err
	}
	if s.kind == kindSelect && !request.bufferResult && mayStream(s, request) {
		return lease.conn.stream(s.text, request.format, request.params, emit)
	}
	return lease.conn.query(s.text, request.format, request.params, emit)
}

// streamable are the formats in which a result is the concatenation of the
// results of its pieces, which is how the engine streams. Of others it repeats
// headers and brackets (JSON, CSVWithNames, Parquet): those are answered whole.
var streamable = []string{
	"TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "JSONLines", "NDJSON",
	"JSONCompactEachRow", "JSONStringsEachRow", "Native", "RowBinary", "RawBLOB",
}

func mayStream(s statement, r *request) bool {
	return slices.ContainsFunc(streamable, func(name string) bool { return strings.EqualFold(name, resultFormat(s, r)) })
}

// resultFormat is the statement's own, else the request's.
func resultFormat(s statement, r *request) string {
	if s.format != "" {
		return s.format
	}
	return r.format
}

// runInsert reads all data, then inserts them. Once they are there the insert
// goes through even if the client has gone: half an insert helps nobody.
func (f *facade) runInsert(r *http.Request, request *request, s statement, data io.Reader, out *answer) error {
	spool, err := newSpool(data, f.spoolDir, spoolMemoryBytes, maxInsertBytes)
	if err != nil {
		return bodyError(err)
	}
	defer func() {
		if err := spool.close(); err != nil {
			f.log.Warn().Err(err).Msg("spool file could not be closed")
		}
	}()
	lease, err := f.pool.acquire(r.Context(), request, rand.Text(), false)
	if err != nil {
		return err
	}
	defer lease.release(request, s)
	counts, err := lease.conn.insert(s.text, s.format, request.params, spool.reader())
	if err != nil {
		return err
	}
	out.w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","written_rows":"%d"}`, counts.read, counts.written))
	return nil
}

// answer writes a result or an exception in the encoding that was asked for.
type answer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	out     io.Writer // w behind compression
	zip     *gzip.Writer
	tag     string
	begun   bool
}

// encode sets up compression.
func (a *answer) encode(r *request) {
	a.tag = rand.Text()[:16]
	a.w.Header().Set("X-ClickHouse-Exception-Tag", a.tag)
	a.out = a.w
	if r.gzipResult {
		a.zip = gzip.NewWriter(a.out)
		a.out = a.zip
		a.w.Header().Set("Content-Encoding", "gzip")
	}
	switch r.packResult {
	case "":
	case "ZSTD":
		a.out = newFrameWriter(a.out, compress.ZSTD)
	default:
		a.out = newFrameWriter(a.out, compress.LZ4)
	}
}

// format announces the format of the result.
func (a *answer) format(r *request, s statement) {
	format := resultFormat(s, r)
	a.w.Header().Set("X-ClickHouse-Format", format)
	a.w.Header().Set("Content-Type", contentType(format))
}

func contentType(format string) string {
	switch {
	case strings.HasPrefix(format, "JSONEachRow"), strings.HasPrefix(format, "JSONCompactEachRow"):
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	case format == "Native", strings.HasPrefix(format, "RowBinary"), format == "Parquet", format == "Arrow":
		return "application/octet-stream"
	default:
		return "text/plain; charset=UTF-8"
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	if err := a.control.SetWriteDeadline(time.Now().Add(writeStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return a.out.Write(p)
}

// fail answers an exception; after a part of the result, in the form that
// clients look for at the end of a body.
func (a *answer) fail(err error) {
	code, text := asException(err)
	if a.out == nil {
		a.out = a.w
	}
	if a.begun {
		text = fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", a.tag, text, len(text)+1, a.tag)
	} else {
		header := a.w.Header()
		header.Set("X-ClickHouse-Exception-Code", fmt.Sprint(code))
		header.Set("Content-Type", "text/plain; charset=UTF-8")
		a.w.WriteHeader(exceptionStatus(code))
		text += "\n"
	}
	_, _ = io.WriteString(a, text) // the client has gone
}

// close ends the encoding.
func (a *answer) close() {
	if a.zip != nil {
		_ = a.zip.Close() // the client has gone
	}
}
