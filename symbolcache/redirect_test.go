package symbolcache

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// A symbol server cannot use us to ask what only this machine can reach, nor learn where
// we were before.
func TestRedirectsToPrivateAddressesAreRefused(t *testing.T) {
	asked := 0
	var referer string
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked++
		referer = r.Header.Get("Referer")
	}))
	defer inside.Close()
	target := inside.URL
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target+"/admin", http.StatusFound)
	}))
	defer front.Close()
	base, err := url.Parse(front.URL + "?token=t0ps3cret")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	for _, target = range []string{inside.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port, "http://127.1.2.3:" + port, "ftp://127.0.0.1:" + port} {
		if _, err := NewHTTP(base).Open(t.Context(), "a/b/c"); err == nil || strings.Contains(err.Error(), "t0ps3cret") {
			t.Errorf("%s: %v", target, err)
		}
	}
	if asked > 0 {
		t.Errorf("asked %d times", asked)
	}
	target = inside.URL
	if _, err := NewHTTP(base, inside.Listener.Addr().String()).Open(t.Context(), "a/b/c"); err != nil || asked != 1 || referer != "" {
		t.Errorf("a target that is named: %v, asked %d times, referer %q", err, asked, referer)
	}
}

func TestWhatIsOnTheInternet(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f:cb07::1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false,
		"0.0.0.0": false, "0.1.2.3": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "ff02::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false,
	} {
		if got := onInternet(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// What an error says of a source's name is no password.
func TestErrorsDoNotRepeatNamesOfSources(t *testing.T) {
	for _, name := range []string{"https://jane:hunter2@host:port/x", "https://jane:hunter2@ho st/", "http://jane:hunter2@%zz", "https:///jane:hunter2@x", "s3://jane:hunter2@bucket", "htps://jane:hunter2@host", "jane:hunter2@host/x"} {
		_, err := NewSource(name)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
