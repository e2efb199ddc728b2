package clickhouse

import (
	"bytes"
	"net/http"
)

// frames are the body of an insert: all of it, compressed in ClickHouse's own frames.
type frames struct{ *bytes.Reader }

// Close implements io.Closer.
func (frames) Close() error { return nil }

// transport sends what clickhouse-go asks for. Its InsertFormat hands a body on as it
// is, and says neither that it is in frames nor how long it is: a server could take one
// that was cut. A setting of the context would not do, it goes to the hello of a new
// connection as well.
type transport struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if body, ok := r.Body.(frames); ok {
		r = r.Clone(r.Context())
		r.URL.RawQuery += "&decompress=1"
		r.ContentLength = int64(body.Len())
	}
	return t.Transport.RoundTrip(r)
}
