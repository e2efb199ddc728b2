package upload

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// A body may take as long as it needs as long as it comes on: leastRate bytes a second, once
// grace is over.
const (
	leastRate = 16 << 10
	grace     = 30 * time.Second
)

// paced reads a request's body, and ends it when it comes too slowly.
func paced(w http.ResponseWriter, r *http.Request) io.Reader {
	return &pace{r: r.Body, rc: http.NewResponseController(w), began: time.Now()}
}

type pace struct {
	r     io.Reader
	rc    *http.ResponseController
	began time.Time
	read  int64
}

func (p *pace) Read(b []byte) (int, error) {
	allowed := grace + time.Duration(p.read/leastRate)*time.Second
	p.rc.SetReadDeadline(p.began.Add(allowed)) //nolint:errcheck,gosec // a recorder of tests has none
	n, err := p.r.Read(b)
	p.read += int64(n)
	if errors.Is(err, io.EOF) { // else the server would take the deadline for a client that has left
		p.rc.SetReadDeadline(time.Time{}) //nolint:errcheck,gosec // likewise
	}
	return n, err
}
