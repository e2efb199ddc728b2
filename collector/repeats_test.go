package collector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/schema"
)

func TestAReportThatIsSentAgainIsStoredOnce(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1, Repeats: time.Minute})
	post := func(fields ...string) string {
		t.Helper()
		body, kind := form(t, fields...)
		status, text := d.post(t, body, kind, "", false)
		if status != 200 {
			t.Fatal(status, text)
		}
		return text
	}
	first := post("ProductName", "Fenix", "Throttleable", "1", "@upload_file_minidump", "MDMP1")
	for name, tc := range map[string]struct {
		fields []string
		same   bool
	}{
		"the same":                {[]string{"ProductName", "Fenix", "Throttleable", "1", "@upload_file_minidump", "MDMP1"}, true},
		"in another order":        {[]string{"@upload_file_minidump", "MDMP1", "Throttleable", "1", "ProductName", "Fenix"}, true},
		"as JSON":                 {[]string{"{", `{"ProductName":"Fenix","Throttleable":"1"}`, "@upload_file_minidump", "MDMP1"}, true},
		"by hand":                 {[]string{"ProductName", "Fenix", "Throttleable", "0", "SubmittedFrom", "CrashesTab", "SubmittedFromInfobar", "true", "@upload_file_minidump", "MDMP1"}, true},
		"with a comment":          {[]string{"ProductName", "Fenix", "Throttleable", "1", "Comments", "it hurts", "@upload_file_minidump", "MDMP1"}, false},
		"another dump":            {[]string{"ProductName", "Fenix", "Throttleable", "1", "@upload_file_minidump", "MDMP2"}, false},
		"a dump of another name":  {[]string{"ProductName", "Fenix", "Throttleable", "1", "@upload_file_minidump_browser", "MDMP1"}, false},
		"two dumps":               {[]string{"ProductName", "Fenix", "@upload_file_minidump", "MDMP1", "@more", "MDMP1"}, false},
		"name and value run over": {[]string{"ProductNameF", "enix", "@upload_file_minidump", "MDMP1"}, false},
	} {
		if got := post(tc.fields...) == first; got != tc.same {
			t.Errorf("%s: the same id: %v", name, got)
		}
	}
	if len(d.raw) != 6 {
		t.Errorf("%d events", len(d.raw))
	}
}

func TestWhatTwoMachinesMaySayIsNotTheSame(t *testing.T) {
	d := open(t, collector.Options{Repeats: time.Minute})
	body, kind := form(t, "ProductName", "Fenix")
	for range 3 {
		d.post(t, body, kind, "", false)
	}
	if len(d.raw) != 3 {
		t.Errorf("%d events of three reports without a dump", len(d.raw))
	}
	off := open(t, collector.Options{InlineMax: -1})
	body, kind = form(t, "@upload_file_minidump", "MDMP")
	for range 3 {
		off.post(t, body, kind, "", false)
	}
	if len(off.raw) != 3 {
		t.Errorf("%d events of a door that remembers nothing", len(off.raw))
	}
}

// Who may not choose an id is told so, also of a report that is known.
func TestATokenIsAskedForOfAKnownReportAsWell(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1, Repeats: time.Minute, IDToken: "123"})
	body, kind := form(t, "uuid", "de1bb258-cbbf-4589-a673-34f800160918", "@upload_file_minidump", "MDMP")
	for token, want := range map[string]int{"123": 200, "124": 401} {
		if status, text := d.sendRaw(t, fmt.Appendf(nil, "POST /submit HTTP/1.1\r\nHost: door\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", token, kind, len(body), body), false); status != want {
			t.Errorf("%s: %d %q", token, status, text)
		}
	}
	if len(d.raw) != 1 {
		t.Errorf("%d events", len(d.raw))
	}
	other := bytes.Replace(body, []byte("de1bb258"), []byte("de1bb259"), 1) // another id is another crash
	if status, text := d.sendRaw(t, fmt.Appendf(nil, "POST /submit HTTP/1.1\r\nHost: door\r\nConnection: close\r\nAuthorization: Bearer 123\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(other), other), false); status != 200 || len(d.raw) != 2 {
		t.Errorf("%d %q, %d events", status, text, len(d.raw))
	}
}

// A report that could not be stored is not answered as if it were, however often it comes,
// also at the same time.
func TestATryThatFailedIsNoReportThatIsStored(t *testing.T) {
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var stored []string
	fails := 5
	d := openWith(t, collector.Options{InlineMax: -1, Repeats: time.Minute}, blobs, func(_ context.Context, raw *schema.RawCrash) error {
		mu.Lock()
		defer mu.Unlock()
		if fails--; fails >= 0 {
			return errors.New("the broker is away")
		}
		stored = append(stored, raw.CrashID)
		return nil
	})
	body, kind := form(t, "@upload_file_minidump", "MDMP")
	answers := make(chan string, 20)
	var wg sync.WaitGroup
	for range cap(answers) {
		wg.Go(func() {
			status, text := d.post(t, body, kind, "", false)
			answers <- fmt.Sprint(status, " ", text)
		})
	}
	wg.Wait()
	close(answers)
	counts := map[string]int{}
	for a := range answers {
		counts[a]++
	}
	if len(stored) != 1 || counts["200 CrashID=bp-"+stored[0]+"\n"] != 15 || counts["503 "] != 5 {
		t.Errorf("%q is stored, answers %v", stored, counts)
	}
}

func TestARejectedReportIsNotRemembered(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1, Repeats: time.Minute, Rules: rules(t, "rules: [{name: seems, result: fake-accept}]")})
	body, kind := form(t, "@upload_file_minidump", "MDMP")
	_, first := d.post(t, body, kind, "", false)
	if _, second := d.post(t, body, kind, "", false); first == second || len(d.raw) != 0 {
		t.Errorf("%q twice, %d events", first, len(d.raw))
	}
}
