package loopback_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"aftershock/internal/loopback"
)

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })

func status(h http.Handler, host string, header http.Header) int {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestOnlyNamesOfThisMachineAreAnswered(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8123", "[::1]:8123", "localhost:0", "127.9.9.9:1"} {
		h := loopback.Guard(listen, []string{"crash.test"}, ok)
		for _, host := range []string{"127.0.0.1", "127.0.0.1:8123", "[::1]:8123", "[::1]", "localhost", "LocalHost:1", "crash.test:80", "Crash.Test"} {
			if got := status(h, host, nil); got != http.StatusOK {
				t.Errorf("on %s, called %s: %d", listen, host, got)
			}
		}
		for _, host := range []string{"", "evil.test", "evil.test:8123", "127.0.0.1.evil.test", "localhost.evil.test", "a.localhost", "192.168.0.1", "0.0.0.0", "[::2]:1", "xcrash.test"} {
			if got := status(h, host, nil); got != http.StatusForbidden {
				t.Errorf("on %s, called %q: %d", listen, host, got)
			}
		}
	}
}

func TestServerForOthersIsCalledByAnyName(t *testing.T) {
	for _, listen := range []string{":8000", "0.0.0.0:8000", "[::]:8000", "10.0.0.1:8000", "crash.test:8000"} {
		if got := status(loopback.Guard(listen, nil, ok), "any.test", nil); got != http.StatusOK {
			t.Errorf("on %s: %d", listen, got)
		}
	}
}

func TestPagesAreRefusedWhateverTheyCall(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"loopback": loopback.Guard("127.0.0.1:1", nil, ok), "public": loopback.Guard(":1", nil, ok), "the door": loopback.NoPages(ok),
	} {
		for _, header := range []http.Header{
			{"Origin": {"http://evil.test"}},
			{"Origin": {"null"}},
			{"Origin": {"http://127.0.0.1:1"}},
			{"Origin": {""}},
			{"Sec-Fetch-Site": {"cross-site"}},
			{"Sec-Fetch-Site": {"same-site"}},
			{"Sec-Fetch-Site": {"?"}},
		} {
			if got := status(h, "127.0.0.1", header); got != http.StatusForbidden {
				t.Errorf("%s, %v: %d", name, header, got)
			}
		}
		for _, header := range []http.Header{nil, {"Sec-Fetch-Site": {"none"}}, {"Sec-Fetch-Site": {"same-origin"}}, {"User-Agent": {"x"}}} {
			if got := status(h, "127.0.0.1", header); got != http.StatusOK {
				t.Errorf("%s, %v: %d", name, header, got)
			}
		}
	}
	if got := status(loopback.NoPages(ok), "x", nil); got != http.StatusOK {
		t.Errorf("the door by another name: %d", got)
	}
}

// Pages have forms, which browsers send with an Origin, and other sites lead to them.
func TestServersOfPagesAreCalledByTheirName(t *testing.T) {
	h := loopback.Named("127.0.0.1:8080", []string{"crash.test"}, ok)
	for host, want := range map[string]int{"localhost:8080": http.StatusOK, "crash.test": http.StatusOK, "evil.test": http.StatusForbidden} {
		for _, header := range []http.Header{{}, {"Origin": {"http://" + host}}, {"Sec-Fetch-Site": {"cross-site"}}} {
			if got := status(h, host, header); got != want {
				t.Errorf("%s %v: %d", host, header, got)
			}
		}
	}
}
