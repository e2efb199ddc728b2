package forwarded

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAProxyThatIsBelievedTellsTheAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, tc := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"no proxy":                   {"192.0.2.1:5", nil, "192.0.2.1"},
		"who is not believed":        {"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"},
		"a proxy":                    {"10.1.1.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		"what a client wrote before": {"10.1.1.1:5", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":                {"10.1.1.1:5", []string{"203.0.113.9, 198.51.100.1, 10.2.2.2"}, "198.51.100.1"},
		"two fields":                 {"10.1.1.1:5", []string{"198.51.100.1", "10.2.2.2"}, "198.51.100.1"},
		"a proxy that says nothing":  {"10.1.1.1:5", nil, "10.1.1.1"},
		"nonsense":                   {"10.1.1.1:5", []string{"198.51.100.1, unknown"}, "10.1.1.1"},
		"proxies alone":              {"10.1.1.1:5", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"IPv6, with a port":          {"[::1]:5", []string{"[2001:db8::1]:77"}, "2001:db8::1"},
		"IPv6, in brackets":          {"[::1]:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv4 in IPv6":               {"[::ffff:10.1.1.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/submit", http.NoBody)
		r.RemoteAddr = tc.remote
		for _, f := range tc.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := Address(r, proxies); got != netip.MustParseAddr(tc.want) {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
}

func TestAddressesOfProxiesAreBelieved(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, tc := range map[string]struct{ remote, forwarded, want string }{
		"no proxy":     {"192.0.2.1:1", "203.0.113.9", "192.0.2.1"},
		"proxy":        {"10.0.0.1:1", "203.0.113.9", "203.0.113.9"},
		"made up":      {"10.0.0.1:1", "198.51.100.7, 203.0.113.9, 10.0.0.2", "203.0.113.9"},
		"nothing":      {"10.0.0.1:1", "", "10.0.0.1"},
		"no address":   {"10.0.0.1:1", "x", "10.0.0.1"},
		"four in six":  {"[::ffff:192.0.2.1]:1", "", "192.0.2.1"},
		"proxies only": {"10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tc.remote
		r.Header.Set("X-Forwarded-For", tc.forwarded)
		if got := Address(r, proxies); got.String() != tc.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
