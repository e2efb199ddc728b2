package embedded

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is what the URL and headers of an HTTP request ask for.
type request struct {
	query           string // first part of the statement; the body is the rest
	database        string
	format          string // of a result that names none
	queryID         string
	protocolVersion string
	settings        []param // sorted by name
	params          []param
	packed          bool // the body is compressed frames
	packResult      string
	gzipResult      bool
	bufferResult    bool // no part of the result before its end
	session         sessionRequest
}

// sessionRequest names a session, if id is not empty.
type sessionRequest struct {
	id        string
	timeout   time.Duration
	mustExist bool
}

const defaultSessionTimeout = time.Minute

// ownParameters are the URL parameters that are no settings.
var ownParameters = []string{
	"query", "database", "default_format", "client_protocol_version", "query_id", "quota_key", "compress",
	"decompress", "session_id", "session_timeout", "session_check", "user", "password", "wait_end_of_query",
	"buffer_size", "enable_http_compression", "http_zlib_compression_level", "network_compression_method",
	"network_zstd_compression_level", "role", "close_session", "stacktrace",
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func parseRequest(r *http.Request) (*request, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, exceptionf(36, "BAD_ARGUMENTS", "URL parameters: %s", err)
	}
	get := func(parameter, header string) string {
		if v := values.Get(parameter); v != "" || header == "" {
			return v
		}
		return r.Header.Get(header)
	}
	out := &request{
		query:           values.Get("query"),
		database:        get("database", "X-ClickHouse-Database"),
		format:          get("default_format", "X-ClickHouse-Format"),
		queryID:         values.Get("query_id"),
		protocolVersion: values.Get("client_protocol_version"),
		packed:          isTrue(values.Get("decompress")),
		bufferResult:    isTrue(values.Get("wait_end_of_query")),
		gzipResult:      isTrue(values.Get("enable_http_compression")) && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"),
	}
	if out.format == "" {
		out.format = "TabSeparated"
	}
	if isTrue(values.Get("compress")) {
		out.packResult = strings.ToUpper(get("network_compression_method", ""))
		if out.packResult == "" {
			out.packResult = "LZ4"
		}
	}
	for name, v := range values {
		parameter, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			out.params = append(out.params, param{parameter, v[0]})
		case slices.Contains(ownParameters, name):
		case !settingName.MatchString(name):
			return nil, exceptionf(115, "UNKNOWN_SETTING", "Unknown setting '%s'", name)
		default:
			out.settings = append(out.settings, param{name, v[0]})
		}
	}
	if len(out.settings) > maxSettings || len(out.params) > maxSettings {
		return nil, exceptionf(36, "BAD_ARGUMENTS", "More than %d settings or parameters in one request", maxSettings)
	}
	slices.SortFunc(out.settings, func(a, b param) int { return strings.Compare(a.name, b.name) })
	out.session, err = parseSession(values)
	return out, err
}

func parseSession(values url.Values) (sessionRequest, error) {
	s := sessionRequest{
		id:        values.Get("session_id"),
		timeout:   defaultSessionTimeout,
		mustExist: isTrue(values.Get("session_check")),
	}
	if text := values.Get("session_timeout"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || time.Duration(seconds)*time.Second > maxSessionTimeout {
			return s, exceptionf(36, "BAD_ARGUMENTS", "Invalid session timeout: '%s'", text)
		}
		s.timeout = time.Duration(seconds) * time.Second
	}
	return s, nil
}

func isTrue(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

// openBody is the request's body unpacked, in frames of at most so many bytes. Its reader ends with io.EOF only if
// every layer ended as it should.
func openBody(r *http.Request, packed bool, most uint32) (io.Reader, error) {
	var body io.Reader = r.Body
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unzipped, err := gzip.NewReader(body)
		if errors.Is(err, io.EOF) { // no byte at all
			return http.NoBody, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
		body = unzipped
	default:
		return nil, exceptionf(48, "NOT_IMPLEMENTED", "Content-Encoding %s is not supported by the embedded server", encoding)
	}
	if packed {
		body = newFrameReader(body, most)
	}
	return body, nil
}

// bodyError is an error of reading a request's body. An insert whose body ends
// in one has not begun.
func bodyError(err error) error {
	if exceptionCode.MatchString(err.Error()) {
		return err
	}
	return exceptionf(33, "CANNOT_READ_ALL_DATA", "Cannot read the request body: %s", err)
}

// readStatement reads the statement from the URL and the body, at most
// maxStatementBytes of it; what of the body belongs to an insert's data and is
// not in statement.data remains unread.
func readStatement(query string, body io.Reader) (statement, error) {
	// One byte more than any statement that fits into what the query leaves.
	head := make([]byte, max(0, maxStatementBytes-len(query))+1)
	n, err := readChunk(body, head)
	whole := errors.Is(err, io.EOF)
	if err != nil && !whole {
		return statement{}, bodyError(err)
	}
	text := query
	if text != "" && n > 0 {
		text += "\n"
	}
	text += string(head[:n])
	s, err := parseStatement(text)
	tooLong := !whole && (err != nil || s.kind != kindInsert)
	if tooLong || err == nil && len(s.text) > maxStatementBytes {
		return statement{}, exceptionf(62, "SYNTAX_ERROR", "Max query size exceeded: a statement has at most %d bytes", maxStatementBytes)
	}
	if err != nil {
		return statement{}, err
	}
	return s, nil
}

// quoteString writes a string literal of SQL.
func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quoteName writes an identifier of SQL.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// setStatement is SET with all the values; there must be one at least.
func setStatement(values []param) string {
	var b strings.Builder
	for i, v := range values {
		separator := ", "
		if i == 0 {
			separator = "SET "
		}
		fmt.Fprintf(&b, "%s%s = %s", separator, v.name, v.value)
	}
	return b.String()
}
