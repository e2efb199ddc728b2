package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"time"

	"aftershock/symbolcache"
)

// A build system may leave its zip with somebody else and tell us the address. Whoever has a
// token must not be able to make us ask servers of their choice: each address on the way is
// https and of a host that the operator has named, and public unless named so too.

const (
	maxRedirects = 5
	// fetchTime bounds the whole, for a zip of MaxZipBytes from another continent.
	fetchTime = 15 * time.Minute
)

// publicClient is what zips are fetched with; tests trust servers of their own.
var publicClient = symbolcache.PublicClient

// remoteError is about an address.
type remoteError struct {
	status int
	text   string
}

func (e *remoteError) Error() string { return e.text }

// fetch downloads a zip.
func (h *Handler) fetch(ctx context.Context, address string, u *uploaded) (*os.File, error) {
	at, err := url.Parse(address)
	if err == nil {
		err = h.mayFetch(at)
	}
	if err != nil {
		return nil, &remoteError{http.StatusBadRequest, err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	client := publicClient(h.o.Private...)
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return &remoteError{http.StatusBadRequest, fmt.Sprintf("more than %d redirects", maxRedirects)}
		}
		req.Header.Del("Referer")
		if err := h.mayFetch(req.URL); err != nil {
			return &remoteError{http.StatusBadRequest, "redirected: " + err.Error()}
		}
		u.Redirects = append(u.Redirects, req.URL.Redacted())
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil) //nolint:gosec // mayFetch has looked at it
	if err != nil {
		return nil, &remoteError{http.StatusBadRequest, "not an address"}
	}
	res, err := client.Do(req) //nolint:gosec // likewise
	if err != nil {
		var refused *remoteError
		if errors.As(err, &refused) {
			return nil, refused
		}
		return nil, &remoteError{http.StatusBadGateway, "the address does not answer, or lies in this network"}
	}
	defer res.Body.Close() //nolint:errcheck // read below, or of no use
	switch {
	case res.StatusCode >= http.StatusInternalServerError: // so that clients try again
		return nil, &remoteError{http.StatusInternalServerError, fmt.Sprintf("the address answers %d", res.StatusCode)}
	case res.StatusCode != http.StatusOK:
		return nil, &remoteError{http.StatusBadRequest, fmt.Sprintf("the address answers %d", res.StatusCode)}
	}
	u.Filename = path.Base(at.Path)
	download := at.Redacted()
	u.DownloadURL = &download
	f, err := h.aside(ctx, res.Body, u)
	var bad *badZipError
	if err != nil && !errors.Is(err, errTooLarge) && !errors.As(err, &bad) {
		return nil, &remoteError{http.StatusBadGateway, "the address sends no whole file"}
	}
	return f, err
}

// mayFetch tells why an address must not be asked.
func (h *Handler) mayFetch(u *url.URL) error {
	switch {
	case u.Scheme != "https":
		return errors.New("Insecure URL") //nolint:staticcheck // Mozilla's text
	case u.User != nil || u.Hostname() == "":
		return errors.New("not an address: want https://host/path, without a user")
	case !slices.Contains(h.o.From, u.Hostname()) && !slices.Contains(h.o.From, u.Host):
		return fmt.Errorf("Not an allowed domain (%.100q) to download from", u.Hostname()) //nolint:staticcheck // likewise
	}
	return nil
}
