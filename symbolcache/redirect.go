package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
)

// A symbol server may send us elsewhere, and what comes of it is public. So it must not
// be able to send us to what only this machine or its network can reach, unless the
// operator has named that: the server itself, a proxy, or a target of redirects.

var errPrivate = errors.New("redirect refused: to an address of this machine or its network, which --symbol-redirect would have to name")

// targets knows which addresses a source may connect to whatever they are. It is safe for
// concurrent use.
type targets struct {
	mu    sync.Mutex
	named []string // host:port
}

func newTargets(base *url.URL, redirects []string) *targets {
	t := &targets{named: slices.Clone(redirects)}
	t.name(base)
	return t
}

// name allows the server of a URL.
func (t *targets) name(u *url.URL) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := hostPort(u); !slices.Contains(t.named, at) {
		t.named = append(t.named, at)
	}
}

func (t *targets) allowed(address string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.named, address)
}

// hostPort is a URL's server as it is dialled.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// proxy is the environment's, whose server the operator has named.
func (t *targets) proxy(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if u != nil {
		t.name(u)
	}
	return u, err
}

// dial connects. What is not named must be public; addresses are looked at when they are
// known, so that no name can hide one.
func (t *targets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	if !t.allowed(address) {
		d.Control = func(_, resolved string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(resolved)
			if err != nil || !onInternet(at.Addr()) {
				return errPrivate
			}
			return nil
		}
	}
	return d.DialContext(ctx, network, address)
}

// notPublic are the ranges that are not the Internet's, beside those that netip knows:
// RFC 6598 (carriers), RFC 6890 (this network, protocol assignments, benchmarks,
// reserved), RFC 6052 and 3056 (IPv4 in IPv6, by translators).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// onInternet tells whether an address is one of the Internet.
func onInternet(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}

var errRedirect = errors.New("redirect refused")

// checkRedirect follows some, but not from https to http. The next server is not told
// where we come from: that URL can hold a token.
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d", errRedirect, maxRedirects)
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("%w: to %s", errRedirect, req.URL.Scheme)
	case req.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https":
		return fmt.Errorf("%w: from https to %s", errRedirect, req.URL.Scheme)
	}
	req.Header.Del("Referer")
	return nil
}
