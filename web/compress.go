package web

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// compressing sends what its handler writes by gzip, where that is worth it. end must be called
// when the handler has written all.
//
// What is not to be stored goes as it is: it may be protected, and how short it becomes beside a
// text that a request has brought along would tell of it.
type compressing struct {
	http.ResponseWriter
	wanted  bool // by the client
	decided bool
	gz      *gzip.Writer // nil: as it is
}

// compressors are kept, for each has large tables. Text becomes a tenth at their best speed.
var compressors = sync.Pool{New: func() any {
	gz, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // which is a level
	return gz
}}

// compress is a writer to answer a request with.
func compress(w http.ResponseWriter, r *http.Request) *compressing {
	return &compressing{ResponseWriter: w, wanted: r.Method != http.MethodHead && takesGzip(r.Header.Values("Accept-Encoding"))}
}

// takesGzip tells whether a client has asked for gzip by its name, and not with the weight 0.
func takesGzip(accepted []string) bool {
	for coding := range strings.SplitSeq(strings.Join(accepted, ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(strings.ToLower(weight), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}

// compressible are the types that are texts.
func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "application/json")
}

func (c *compressing) WriteHeader(status int) {
	head := c.Header()
	if !c.decided && status >= http.StatusOK {
		c.decided = true
		if compressible(head.Get("Content-Type")) && head.Get("Content-Encoding") == "" && head.Get("Cache-Control") != "no-store" {
			head.Add("Vary", "Accept-Encoding")
			if c.wanted {
				head.Set("Content-Encoding", "gzip")
				head.Del("Content-Length")
				c.gz = compressors.Get().(*gzip.Writer)
				c.gz.Reset(c.ResponseWriter)
			}
		}
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *compressing) Write(p []byte) (int, error) {
	if !c.decided {
		c.WriteHeader(http.StatusOK)
	}
	if c.gz == nil {
		return c.ResponseWriter.Write(p)
	}
	return c.gz.Write(p)
}

// FlushError sends what there is.
func (c *compressing) FlushError() error {
	if c.gz != nil {
		if err := c.gz.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController, which sets deadlines.
func (c *compressing) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// end sends the rest.
func (c *compressing) end() {
	if c.gz == nil {
		return
	}
	c.gz.Close() //nolint:errcheck,gosec // its client may be gone
	c.gz.Reset(nil)
	compressors.Put(c.gz)
	c.gz = nil
}
