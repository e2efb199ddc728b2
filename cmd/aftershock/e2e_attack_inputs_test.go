package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
)

// decoys are words that nobody may see: all of a run begin alike.
type decoys struct {
	rand *rand.Rand
	mark mark
}

// mark is how the decoys of a run begin. It can be spoken, for what looks random is
// hidden sooner.
type mark string

// decoyMark is the length of a mark.
const decoyMark = 8

func newDecoys(seed, stream uint64) *decoys {
	return &decoys{rand: rand.New(rand.NewPCG(seed, stream))} //nolint:gosec // the same for the same seed
}

// word is a decoy: five syllables behind the mark.
func (d *decoys) word() mark {
	out := []byte(d.mark)
	for range 5 {
		out = append(out, "bdfgklmnprstvz"[d.rand.IntN(14)], "aeiou"[d.rand.IntN(5)])
	}
	return mark(out)
}

// token is a decoy that looks like a secret.
func (d *decoys) token() string { return fmt.Sprintf("%s%016x", d.word(), d.rand.Uint64()) }

// pick is one of some texts, with a word for each %s and a token for each %t.
func (d *decoys) pick(texts ...string) string {
	text := texts[d.rand.IntN(len(texts))]
	for strings.Contains(text, "%s") {
		text = strings.Replace(text, "%s", string(d.word()), 1)
	}
	for strings.Contains(text, "%t") {
		text = strings.Replace(text, "%t", d.token(), 1)
	}
	return text
}

// in finds decoys in a text, whatever their case, as text, UTF-16 or in hex; of many
// the first.
func (m mark) in(text string) (found []string) {
	low := strings.ToLower(text)
	wide := strings.Join(strings.Split(string(m), ""), "\x00")
	for _, form := range []string{string(m), hex.EncodeToString([]byte(m)), wide} {
		for rest, at := low, 0; len(found) < 5; {
			i := strings.Index(rest, form)
			if i < 0 {
				break
			}
			at += i
			found = append(found, text[max(0, at-60):min(len(text), at+60)])
			at += len(form)
			rest = low[at:]
		}
	}
	return found
}

// submission is a body for the door.
type submission struct {
	path        string // "" is /submit
	body        []byte
	contentType string
	gzip        bool
}

func newSubmission(annotations map[string]string, dump []byte) submission {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range annotations {
		w.WriteField(name, value) //nolint:errcheck // into memory
	}
	if dump != nil {
		part, _ := w.CreateFormFile(schema.MainDump, "a.dmp")
		part.Write(dump) //nolint:errcheck // likewise
	}
	w.Close()
	return submission{body: b.Bytes(), contentType: w.FormDataContentType()}
}

// zipped is the report as a client sends it that knows how repetitive it is.
func (r submission) zipped() submission {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	w.Write(r.body) //nolint:errcheck // into memory
	w.Close()
	return submission{r.path, b.Bytes(), r.contentType, true}
}

func (r submission) post(u *upProcess) (id string, status int, said string) {
	req, err := http.NewRequestWithContext(u.t.Context(), http.MethodPost, "http://"+u.collector+cmp.Or(r.path, "/submit"), bytes.NewReader(r.body))
	if err != nil {
		return "", 0, ""
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := testClient.Do(req)
	if err != nil {
		return "", 0, ""
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if res.StatusCode == http.StatusOK {
		id = strings.TrimPrefix(strings.TrimSpace(string(text)), "CrashID=bp-")
	}
	return id, res.StatusCode, string(text)
}

// newAttackers are all kinds.
func newAttackers(t *testing.T, u *upProcess, seed uint64, m mark) []*attacker {
	t.Helper()
	only, err := regexp.Compile(os.Getenv(attackOnly))
	if err != nil {
		t.Fatal(err)
	}
	var all []*attacker
	add := func(name string, every time.Duration, send func(a *attacker) (string, error)) {
		d := newDecoys(seed, uint64(len(all)+1))
		d.mark = m
		all = append(all, &attacker{name: name, every: slowed(every), send: send, u: u, decoys: *d, answers: map[string]int{}})
	}
	build := newDecoys(seed, 1000)
	build.mark = m
	names, bombs := []submission{}, []submission{}
	for range 3 {
		names = append(names, threadNames(build).zipped())
		bombs = append(bombs, jsonBomb(build).zipped())
	}
	add("names of many threads", 500*time.Millisecond, func(a *attacker) (string, error) { return a.post(names[a.rand.IntN(len(names))]) })
	add("thousands of modules", 4*time.Second, func(a *attacker) (string, error) {
		return a.post(newSubmission(nil, manyModules(&a.decoys, "slow", 2000+a.rand.IntN(6000))).zipped())
	})
	add("modules of a silent server", 2*time.Second, func(a *attacker) (string, error) {
		return a.post(newSubmission(nil, manyModules(&a.decoys, "silent", 20+a.rand.IntN(400))).zipped())
	})
	add("JSON bombs", 2*time.Second, func(a *attacker) (string, error) {
		answer, err := a.post(bombs[a.rand.IntN(len(bombs))])
		if answer == "200" {
			a.bad = append(a.bad, "a bomb was taken")
		}
		return answer, err
	})
	add("broken requests", 30*time.Millisecond, brokenRequests(inflateBombs()))
	add("connections that trickle", 0, trickle)
	add("names of mapped files", 400*time.Millisecond, func(a *attacker) (string, error) { return a.post(newSubmission(nil, mappedFiles(&a.decoys))) })
	add("texts for annotations", 200*time.Millisecond, func(a *attacker) (string, error) { return a.post(newSubmission(freeTexts(&a.decoys), tinyDump())) })
	add("pages", 100*time.Millisecond, pages)
	add("huge symbol texts", 10*time.Second, func(a *attacker) (string, error) {
		return a.post(newSubmission(nil, manyModules(&a.decoys, "huge", 1)))
	})
	add("texts in pings", 400*time.Millisecond, func(a *attacker) (string, error) { return a.post(hostilePing(&a.decoys)) })
	add("huge pings", 2*time.Second, func(a *attacker) (string, error) { return a.post(hugePing(&a.decoys)) })
	add("Java's messages", 400*time.Millisecond, func(a *attacker) (string, error) { return a.post(newSubmission(javaTexts(&a.decoys), nil)) })
	add("build ids and kernels", 400*time.Millisecond, func(a *attacker) (string, error) { return a.post(newSubmission(nil, idsAndKernels(&a.decoys))) })
	add("redirects to other servers", time.Second, func(a *attacker) (string, error) {
		return a.post(newSubmission(nil, manyModules(&a.decoys, "bounce", 5)))
	})
	return slices.DeleteFunc(all, func(a *attacker) bool { return !only.MatchString(a.name) })
}

// threadNames is a dump of 2,048 threads whose names are 4 KiB each.
func threadNames(d *decoys) submission {
	b := minidumptest.New(minidump.CPUAMD64, minidump.Linux)
	for i := range uint32(2048) {
		b.ThreadWithoutStack(i+1, minidumptest.Regs{"rip": 0x401000})
		word := string(d.word())
		b.ThreadName(i+1, strings.Repeat(word, 4096/len(word)))
	}
	return newSubmission(nil, b.Exception(1, 11, 1, 0x10).Bytes())
}

// jsonBomb is an object of millions of names, or of values in values, ahead of a dump.
func jsonBomb(d *decoys) submission {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="extra"`}, "Content-Type": {"application/json"}})
	word := d.word()
	var text bytes.Buffer
	switch d.rand.IntN(3) {
	case 0:
		text.WriteString("{")
		for i := range 3_000_000 {
			fmt.Fprintf(&text, "\"%x\":1,", i)
		}
		fmt.Fprintf(&text, "%q:1}", word)
	case 1:
		fmt.Fprintf(&text, `{"%s":`, word)
		text.WriteString(strings.Repeat(`[`, 20_000_000))
	default:
		fmt.Fprintf(&text, `{"%s":"%s`, word, strings.Repeat(string(word), 2_000_000))
	}
	part.Write(text.Bytes()) //nolint:errcheck // likewise
	w.Close()
	return submission{body: b.Bytes(), contentType: w.FormDataContentType()}
}

// manyModules is a dump whose threads run in modules that symbols are asked of.
func manyModules(d *decoys, what string, n int) []byte {
	const base, size = 0x400000, 0x10000
	b := minidumptest.New(minidump.CPUAMD64, minidump.Linux)
	pc := func(i int) uint64 { return base + uint64(i%n)*size + 0x123 }
	for i := range n {
		id := make([]byte, 20)
		for j := range id {
			id[j] = byte(d.rand.Uint32())
		}
		b.Module(minidumptest.Module{Base: base + uint64(i)*size, Size: size, CodeFile: fmt.Sprintf("/opt/lib%s%d.so", what, i), CodeView: minidumptest.BuildID(id)})
	}
	const deep = 16
	for i := range uint32(min(n, 1000)) {
		at := 0x7f0000000000 + uint64(i)<<16
		var words []uint64
		for j := range deep {
			words = append(words, pc(int(i)*deep+j+1), 0)
		}
		b.Thread(i+1, minidumptest.Regs{"rip": pc(int(i) * deep), "rsp": at}, minidumptest.StackAt(at).Words(words...))
	}
	return b.Exception(1, 11, 1, 0x10).Bytes()
}

// mappedFiles is a crash in files that are no code.
func mappedFiles(d *decoys) []byte {
	const base, size = 0x400000, 0x10000
	b := minidumptest.New(minidump.CPUAMD64, minidump.Linux)
	b.Module(minidumptest.Module{Base: base, Size: size, CodeFile: "/home/" + string(d.word()) + "/bin/app", CodeView: minidumptest.BuildID(bytes.Repeat([]byte{7}, 20))})
	var words []uint64
	for i := range 6 {
		at := base + uint64(i+1)*size
		b.Module(minidumptest.Module{Base: at, Size: size, CodeView: minidumptest.BuildID(bytes.Repeat([]byte{byte(i + 8)}, 20)), CodeFile: d.pick(
			"/home/x/Documents/letter to %s <%s@example.org>.sqlite-shm", "memfd:clipboard password=%t", "/tmp/%t%3D%3D.cache", "/home/%s",
			"Macintosh HD:Users:%s:notes about %s", `C:\Users\%s\AppData\Local\offer for %s.pdf`, "/dev/shm/%s.%s", "/mnt/%s.corp.example/share/%s.docx",
			"/home/x/.config/session-%t", "anon_inode:%s", "/var/lib/%s.db (deleted)", `\\%s\share\%s.xlsx`,
		)})
		words = append(words, at+0x123)
	}
	return b.Thread(7, minidumptest.Regs{"rip": base + size + 0x10, "rsp": 0x7fff0000}, minidumptest.StackAt(0x7fff0000).Words(words...)).
		UnloadedModule(minidumptest.Module{Base: 0x800000, Size: size, CodeFile: d.pick("/home/%s/%s.docx", "mail of %s@example.org")}).
		Exception(7, 11, 1, 0x10).Bytes()
}

// freeTexts are sentences, addresses, paths and secrets where narrow values belong.
func freeTexts(d *decoys) map[string]string {
	out := map[string]string{}
	for _, name := range []string{
		"ProductName", "Version", "ReleaseChannel", "BuildID", "ProcessType", "Vendor", "IPCMessageName", "ProductID", "platform",
		"JSLargeAllocationFailure", "useragent_locale", "UptimeTS", "CrashTime", "Comments", "URL", "e-mail", "MozCrashReason", "AbortMessage",
	} {
		out[name] = d.pick(
			"please call %s about my lost invoice", "https://%s.example/login?token=%t", `C:\Users\%s\report.txt`, "/home/%s/secret",
			"%s@example.org", "db01.%s.corp", "ghp_%t", "Bearer %t", "1.0 for %s at home", "http://%s.intranet/x::y", "//%s/share", "pass=%t",
			"1.2.3+%s.internal.example.com", "my password is %s, sorry",
		)
	}
	out[string(d.word())] = "1"
	return out
}

// javaTexts are exceptions whose messages look like code.
func javaTexts(d *decoys) map[string]string {
	if d.rand.IntN(3) == 0 {
		return map[string]string{"JavaException": fmt.Sprintf(`{"exception":{"values":[{"stacktrace":{"module":"%s","type":"%s","value":"%s","frames":[]}}]}}`,
			d.pick("db01.%s.corp", "mail %s"), d.pick("the password of %s", "%s@example.org"), d.word())}
	}
	return map[string]string{"JavaStackTrace": d.pick(
		"java.lang.IllegalStateException: bad\n\tat %s.password_of.x(y.java)\n\tat com.app.Main.run(Main.java:5)",
		"db01.%s.corp.example\n\tat com.app.Main.run(Main.java:5)",
		"java.io.IOException: cannot read\n%s\n\tat com.app.Main.run(Main.java:5)",
		"java.lang.Error: x\n\tat %s of %s (mail.java:3)\n",
		"%s@example.org: java.lang.Error\n\tat com.app.Main.run(Main.java:5)",
		"my name is %s\n\tat home.with.the.cat(Cat.java:1)",
		"java.lang.Exception: %t\nCaused by: %s\n\tat a.b.C.d(C.java:1)",
	)}
}

// idsAndKernels is a dump whose ids and versions have more behind them.
func idsAndKernels(d *decoys) []byte {
	id := append(bytes.Repeat([]byte{9}, 20), d.pick("%s", "key=%t", strings.Repeat("%s", 20))...)
	id = append(id, make([]byte, max(0, 40-len(id)))...)
	const base = 0x400000
	return minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		ServicePack(d.pick("Linux 6.1.0-%s #1 SMP %s@buildhost x86_64", "6.5.0 (%s@%s.corp)", "%s", "Linux %s 5.4.0-1 x86_64", "6.1.0+%s.%s")).
		Module(minidumptest.Module{Base: base, Size: 0x10000, CodeFile: "/opt/libodd.so", CodeView: minidumptest.BuildID(id)}).
		Thread(7, minidumptest.Regs{"rip": base + 0x10, "rsp": 0x7fff0000}, minidumptest.StackAt(0x7fff0000).Zeros(8)).
		Exception(7, 11, 1, 0x10).Bytes()
}

func tinyDump() []byte {
	return minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Thread(7, minidumptest.Regs{"rip": 0x401000, "rsp": 0x7fff0000}, minidumptest.StackAt(0x7fff0000).Zeros(8)).Exception(7, 11, 1, 0x10).Bytes()
}

// pages asks each port of up for what a page of another site could.
func pages(a *attacker) (string, error) {
	targets := []struct{ method, target string }{
		{"POST", "http://" + a.u.clickhouse + "/"},
		{"POST", "http://" + a.u.clickhouse + "/?readonly=0"},
		{"GET", "http://" + a.u.clickhouse + "/?query=SELECT+1"},
		{"GET", "http://" + a.u.observed + "/metrics"},
		{"GET", "http://" + a.u.observed + "/readyz"},
		{"GET", "http://" + a.u.registry + "/subjects"},
		{"POST", "http://" + a.u.collector + "/submit"},
	}
	at := targets[a.rand.IntN(len(targets))]
	r, err := http.NewRequestWithContext(a.u.t.Context(), at.method, at.target, strings.NewReader(a.pick(
		"SELECT * FROM file('/etc/hostname', 'LineAsString')", "INSERT INTO FUNCTION url('http://127.0.0.1:9/%s') SELECT 1", "CREATE TABLE aftershock.%s (x Int8) ENGINE = Memory",
		"SELECT '%s'", "DROP DATABASE aftershock", "INSERT INTO aftershock.crash_rows (crash_id) VALUES ('%s')", "SELECT * FROM remote('127.0.0.1', system.one)",
	)))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "text/plain")
	switch who := a.rand.IntN(4); {
	case who == 0 && at.target != targets[6].target: // its name was made to resolve to this machine; the door has no names
		r.Host = a.pick("%s.evil.test:80")
	case who == 1 && strings.Contains(r.URL.Host, a.u.clickhouse) && at.method == "POST": // no page: somebody else on this machine, who may only read
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("CREATE TABLE aftershock.x (x Int8) ENGINE = Memory")), -1
	default:
		r.Header.Set("Origin", a.pick("https://%s.evil.test", "null"))
	}
	return a.ask(r)
}

// Connections that are open at once, and a byte of each comes so often.
const (
	trickling    = 1000
	trickleEvery = time.Second
)

// trickle opens many connections, and sends each of them a byte now and then for as
// long as it is let. It returns when all are closed, or their time is over.
func trickle(a *attacker) (string, error) {
	const lasts = 8 * time.Second
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	for i := range trickling {
		conn, err := net.DialTimeout("tcp", a.u.collector, 5*time.Second)
		if err != nil {
			return "", err
		}
		open = append(open, conn)
		head := "POST /submit HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n"
		if i%4 == 0 {
			head = head[:20+a.rand.IntN(40)]
		}
		io.WriteString(conn, head) //nolint:errcheck // it may have been closed
	}
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(trickleEvery) {
		for _, conn := range open {
			conn.Write([]byte("x")) //nolint:errcheck // likewise
		}
	}
	return fmt.Sprintf("%d at once", trickling), nil
}
