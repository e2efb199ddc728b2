package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aftershock/schema"
)

// healCrashes is how many crashes TestSymbolsThatComeHealCrashes has: the long form has more.
func healCrashes() int {
	if n, err := strconv.Atoi(os.Getenv("AFTERSHOCK_HEAL_CRASHES")); err == nil {
		return n
	}
	return 60
}

// symbolKeys are the keys of the symbol files below a directory.
func symbolKeys(t *testing.T, dir string) (keys []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var key string
			if key, err = filepath.Rel(dir, filepath.Dir(path)); err == nil {
				keys = append(keys, key)
			}
		}
		return err
	})
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	return keys
}

// emptySymbolServer serves a directory that is empty until fill is called.
func emptySymbolServer(t *testing.T) (url string, fill func()) {
	t.Helper()
	store := t.TempDir()
	s := httptest.NewServer(http.FileServer(http.Dir(store)))
	t.Cleanup(s.Close)
	return s.URL, func() {
		t.Helper()
		if err := os.CopyFS(store, os.DirFS(sampleSymbols)); err != nil {
			t.Fatal(err)
		}
	}
}

// announce says that symbols have come, with many processes at once.
func (u *upProcess) announce(keys []string) {
	u.t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range min(20, len(keys)) {
		var some []string
		for n := i; n < len(keys); n += 20 {
			some = append(some, keys[n])
		}
		all.Go(func() {
			out, err := program(context.Background(), append([]string{"symbols", "announce", "--brokers", u.kafka}, some...)...).CombinedOutput()
			if err != nil {
				u.t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// lacking is how many crashes lack symbols that there are.
func (u *upProcess) lacking(keys []string) (int, error) {
	var has []string
	for _, key := range keys {
		has = append(has, "'"+strings.ToUpper(filepath.Base(key))+"'")
	}
	text, err := u.query("SELECT count() FROM crashes WHERE arrayExists((id, s) -> upper(id) IN (" + strings.Join(has, ", ") + ") AND s = 'missing', modules.debug_id, modules.symbols)")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

// eachOnceAsSeen waits until each of the crashes is once in crashes, and the last that the
// public topic has of it is the same.
func (u *upProcess) eachOnceAsSeen(ids []string) {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error {
		text, err := u.query("SELECT crash_id, signature FROM crashes")
		if err != nil {
			return err
		}
		seen, published := map[string]string{}, map[string]string{}
		for _, line := range lines(text) {
			id, signature, _ := strings.Cut(line, "\t")
			if seen[id] != "" {
				u.t.Fatalf("%s is twice in crashes", id)
			}
			seen[id] = signature
		}
		for _, r := range u.topic(schema.TopicTelemetry) {
			c, err := schema.Decode[schema.TelemetryCrash](r.Value)
			if err != nil {
				u.t.Fatal(err)
			}
			published[string(r.Key)] = c.Signature
		}
		for _, id := range ids {
			if seen[id] == "" || published[id] != seen[id] {
				return fmt.Errorf("%s is %q in crashes, %q in the public topic", id, seen[id], published[id])
			}
		}
		if len(seen) != len(ids) || len(published) != len(ids) {
			return fmt.Errorf("%d crashes, %d rows, %d published", len(ids), len(seen), len(published))
		}
		return nil
	})
}

// Crashes without symbols are made again when these come: each once, with the signature that
// it would have had, and published so.
func TestSymbolsThatComeHealCrashes(t *testing.T) {
	t.Parallel()
	symbols, fill := emptySymbolServer(t)
	u := startUp(t, "--symbols", symbols, "--recheck", "0")
	want := healCrashes()
	var dumps []string
	for all := samples(t); len(dumps) < want; {
		dumps = append(dumps, all...)
	}
	ids := u.submit(append([]string{"--annotation", "ProductName=orchard"}, dumps[:want]...)...)
	u.rows(want)
	keys := symbolKeys(t, sampleSymbols)
	ill, err := u.lacking(keys)
	if err != nil || ill < want/2 {
		t.Fatalf("%d of %d crashes lack symbols, %v", ill, want, err)
	}
	fill()
	began := time.Now()
	u.announce(keys)
	first := time.Duration(0)
	eventually(t, 4*time.Minute, func() error {
		left, err := u.lacking(keys)
		if left < ill && first == 0 {
			first = time.Since(began)
		}
		if err == nil && left > 0 {
			err = fmt.Errorf("%d of %d crashes lack symbols still", left, ill)
			time.Sleep(time.Duration(ill) * 50 * time.Microsecond) // to count costs the server what healing needs
		}
		return err
	})
	t.Logf("%d crashes healed %v after the first announcement, the first of them after %v", ill, time.Since(began).Round(10*time.Millisecond), first.Round(10*time.Millisecond))

	// As if the symbols had been there from the beginning.
	later := u.submit(append([]string{"--annotation", "ProductName=later"}, dumps[:want]...)...)
	u.rows(2 * want)
	text, err := u.query("SELECT product, signature, count() FROM crashes GROUP BY product, signature ORDER BY product, signature")
	if err != nil {
		t.Fatal(err)
	}
	healed, fresh := strings.Builder{}, strings.Builder{}
	for _, line := range lines(text) {
		product, rest, _ := strings.Cut(line, "\t")
		if product == "later" {
			fmt.Fprintln(&fresh, rest)
		} else {
			fmt.Fprintln(&healed, rest)
		}
	}
	if healed.String() != fresh.String() || healed.Len() == 0 {
		t.Errorf("healed\n%s\nwith symbols from the beginning\n%s", &healed, &fresh)
	}
	u.eachOnceAsSeen(append(ids, later...))
	if out, err := program(t.Context(), "verify", "--brokers", u.kafka, "--clickhouse-url", u.clickhouseURL()).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// One pass or two, whatever came at once, and no loop.
	asked := len(u.topic(schema.TopicReprocess))
	if asked < ill || asked > 2*ill {
		t.Errorf("%d requests for %d crashes", asked, ill)
	}
	time.Sleep(2 * time.Second)
	if again := len(u.topic(schema.TopicReprocess)); again != asked {
		t.Errorf("%d requests, and then %d", asked, again)
	}
	out, err := program(t.Context(), "symbols", "healed", "--clickhouse-url", u.clickhouseURL()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "IS") || len(lines(string(out))) < 5 {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("symbols healed:\n%s", out)
}

// Kills while crashes are made again lose none and count none twice.
func TestHealingSurvivesKills(t *testing.T) {
	t.Parallel()
	symbols, fill := emptySymbolServer(t)
	u := startUp(t, "--symbols", symbols, "--recheck", "0")
	dumps := samples(t)
	ids := u.submit(append([]string{"--annotation", "ProductName=orchard"}, dumps...)...)
	u.rows(len(ids))
	keys := symbolKeys(t, sampleSymbols)
	fill()
	u.announce(keys)
	for i := range 3 {
		time.Sleep(time.Duration(1+i) * time.Second)
		u.kill()
		u.start()
		u.waitOpen()
	}
	eventually(t, 2*time.Minute, func() error {
		left, err := u.lacking(keys)
		if err == nil && left > 0 {
			err = fmt.Errorf("%d crashes lack symbols still", left)
		}
		return err
	})
	u.eachOnceAsSeen(ids)
}

// Symbols that are uploaded to up's own server heal its crashes, and are told to who asks for
// names; a file that is worse leaves what crashes have.
func TestUploadsHealCrashes(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--recheck", "0")
	dumps := samples(t)
	ids := u.submit(append([]string{"--annotation", "ProductName=orchard"}, dumps...)...)
	u.rows(len(ids))
	keys := symbolKeys(t, sampleSymbols)
	ill, err := u.lacking(keys)
	if err != nil || ill == 0 {
		t.Fatalf("%d crashes lack symbols, %v", ill, err)
	}
	missing := func() string {
		t.Helper()
		text, err := httpGet("http://" + u.symbols + "/missing.csv")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if text := missing(); !strings.HasPrefix(text, "debug_file,debug_id,code_file,code_id,") || !strings.Contains(text, "\norchard,") {
		t.Errorf("%s", text)
	}
	token, err := program(t.Context(), "symbols", "token", "add", "ci", "--tokens", filepath.Join(u.dir, "symbol-tokens.json")).Output()
	if err != nil {
		t.Fatal(err)
	}
	upload := func(wantCode int, args ...string) string {
		t.Helper()
		cmd := program(t.Context(), append([]string{"symbols", "upload", "--url", "http://" + u.symbols}, args...)...)
		cmd.Env = append(cmd.Env, symbolsTokenVariable+"="+strings.TrimSpace(string(token)))
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != wantCode {
			t.Errorf("upload %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	// Each file by a process of its own, all at once, and then all once more.
	var all sync.WaitGroup
	for _, key := range keys {
		all.Go(func() { upload(0, filepath.Join(sampleSymbols, key)) })
	}
	all.Wait()
	if out := upload(0, sampleSymbols); !strings.Contains(out, fmt.Sprintf("0 uploaded, %d were there", len(keys))) {
		t.Error(out)
	}
	eventually(t, 2*time.Minute, func() error {
		left, err := u.lacking(keys)
		if err == nil && left > 0 {
			err = fmt.Errorf("%d crashes lack symbols still", left)
		}
		return err
	})
	u.eachOnceAsSeen(ids)
	before, err := u.query("SELECT crash_id, signature, revision FROM crashes ORDER BY crash_id")
	if err != nil {
		t.Fatal(err)
	}
	if asked := len(u.topic(schema.TopicReprocess)); asked > 3*ill {
		t.Errorf("%d requests for %d crashes", asked, ill)
	}
	// Worse: a file without most of its lines. It needs --replace, and changes no crash.
	worse := filepath.Join(t.TempDir(), "orchard.sym")
	var orchard string
	for _, key := range keys {
		if strings.HasPrefix(key, "orchard/") {
			orchard = key
		}
	}
	text, err := os.ReadFile(filepath.Join(sampleSymbols, orchard, "orchard.sym"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, worse, []byte(strings.SplitAfterN(string(text), "\n", 2)[0]+"PUBLIC 1000 0 only\n"))
	if out := upload(1, worse); !strings.Contains(out, "another file is there: sha256") {
		t.Error(out)
	}
	if out := upload(0, "--replace", worse); !strings.Contains(out, "tells less than what it replaces") {
		t.Error(out)
	}
	time.Sleep(6 * time.Second) // longer than a pass waits and takes
	if after, err := u.query("SELECT crash_id, signature, revision FROM crashes ORDER BY crash_id"); err != nil || after != before {
		t.Errorf("%v\n%s\nwas\n%s", err, after, before)
	}
	// And back: the better file is asked for at once.
	if out := upload(0, "--replace", filepath.Join(sampleSymbols, orchard)); !strings.Contains(out, "1 replaced") {
		t.Error(out)
	}
	body := fmt.Sprintf(`{"jobs":[{"memoryMap":[["orchard",%q]],"stacks":[[[0,%d]]]}]}`, filepath.Base(orchard), 0x2500)
	res, err := testClient.Post("http://"+u.symbols+"/symbolicate/v5", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(answer), `"found_modules":{"`+orchard+`":true}`) {
		t.Errorf("%s %s", res.Status, answer)
	}
}
