package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Limits of the network. The whole of a download is bounded by the load's
// deadline, DefaultLoadTimeout.
const (
	connectTimeout = 5 * time.Second
	headerTimeout  = 10 * time.Second
	idleTimeout    = 30 * time.Second
	// stallTimeout ends a download of which nothing arrives any more.
	stallTimeout = 30 * time.Second
	maxRedirects = 5
)

const userAgent = "aftershock"

// newTransport leaves compressed bodies as they are: unpack counts both sizes.
func newTransport(t *targets) *http.Transport {
	return &http.Transport{
		Proxy:                 t.proxy,
		DialContext:           t.dial,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: headerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   maxPerSource,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
	}
}

// NewHTTP is the source of files at <base>/<path>. Redirects are followed, but
// not from https to http, nor to an address that is not public and not among
// redirects, host:port.
func NewHTTP(base *url.URL, redirects ...string) Source {
	return &httpSource{
		base:   base,
		client: &http.Client{Transport: newTransport(newTargets(base, redirects)), CheckRedirect: checkRedirect},
	}
}

type httpSource struct {
	base   *url.URL
	client *http.Client
}

// Name leaves out passwords, which change while the files stay.
func (s *httpSource) Name() string {
	u := *s.base
	u.User = nil
	return u.String()
}

func (s *httpSource) Open(ctx context.Context, path string) (Body, error) {
	ctx, body := newDownload(ctx)
	opened, err := s.get(ctx, path, body)
	if err != nil {
		body.Close() //nolint:errcheck,gosec // ends the context
		return Body{}, err
	}
	return opened, nil
}

func (s *httpSource) get(ctx context.Context, path string, body *download) (Body, error) {
	u := *s.base
	elements := strings.Split(path, "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e) // else "%2e%2e" and "a?b" would mean something
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath(elements...).String(), nil)
	if err != nil {
		return Body{}, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "zstd, gzip")
	res, err := s.client.Do(req)
	if err != nil {
		return Body{}, transportError(err)
	}
	if res.StatusCode == http.StatusOK {
		body.src = res.Body
		return Body{ReadCloser: body, Bytes: res.ContentLength, Remote: true, Encoding: res.Header.Get("Content-Encoding")}, nil
	}
	res.Body.Close() //nolint:errcheck,gosec // its text is of no use
	return Body{}, statusError(res.StatusCode)
}

// statusError is what an answer without a file means.
func statusError(code int) error {
	switch {
	case code == http.StatusNotFound, code == http.StatusGone:
		return ErrNotFound
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return ErrDenied
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return fmt.Errorf("%w: status %d", ErrTemporary, code)
	}
	return fmt.Errorf("symbol server answered %d", code)
}

// transportError leaves out the URL, which may hold a password, and marks what is worth another try: not a refused redirect, and
// not a timeout, which has taken its time.
func transportError(err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	if errors.Is(err, errRedirect) || errors.Is(err, errPrivate) || errors.Is(err, context.Canceled) || isTimeout(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTemporary, err)
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout()
}

// download is a body from a network. It holds one of its source's slots until it
// is closed, and ends when nothing arrives for stallTimeout.
type download struct {
	src    io.ReadCloser
	stall  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context //nolint:containedctx // that of the request, to know why it ended
	once   sync.Once
}

// newDownload begins one. The context is for the request and ends with the
// download; the caller sets src, and closes the download in any case.
func newDownload(ctx context.Context) (context.Context, *download) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &download{cancel: cancel, ctx: ctx}
}

func (d *download) Read(p []byte) (int, error) {
	if d.stall == nil {
		d.stall = time.AfterFunc(stallTimeout, func() { d.cancel(context.DeadlineExceeded) })
	} else {
		d.stall.Reset(stallTimeout)
	}
	n, err := d.src.Read(p)
	d.stall.Stop() // who reads may take its time
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if cause := context.Cause(d.ctx); cause != nil {
		return n, cause
	}
	return n, transportError(err)
}

func (d *download) Close() (err error) {
	d.once.Do(func() {
		d.cancel(context.Canceled)
		if d.stall != nil {
			d.stall.Stop()
		}
		if d.src != nil {
			err = d.src.Close()
		}
	})
	return err
}
