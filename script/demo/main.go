// Command demo shows the whole path: it starts `aftershock up`, sends the sample
// crashes with `aftershock submit`, waits until ClickHouse has them, and prints
// what an analyst would ask first. It stays up until Ctrl-C, or stops at once
// with -once. The exit code is not 0 if one crash is missing.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	once := flag.Bool("once", false, "stop when all is shown, and take free ports")
	replay := flag.Bool("replay", false, "change a rule instead: plan, start, diff, promote, roll back")
	bin := flag.String("bin", "bin/aftershock", "the built binary")
	crashes := flag.String("crashes", "testdata/crashes", "folder of the dumps to send")
	symbols := flag.String("symbols", "testdata/symbols", "folder of their symbol files")
	generated := flag.Int("generate", 0, "how many generated crashes are put beside them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	d := demo{bin: *bin, crashes: *crashes, symbols: *symbols, generated: *generated}
	err := d.run(ctx, *once, *replay)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

type demo struct {
	bin, crashes, symbols                                                     string
	generated                                                                 int    // crashes beside those
	collector, kafka, clickhouse, analysts, registry, observed, server, pages string // addresses
	token                                                                     string // the file with which ClickHouse is written to
}

// limits of the demo's patience.
const (
	startTimeout = 60 * time.Second
	countTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
)

func (d *demo) run(ctx context.Context, once, replay bool) (err error) {
	d.collector, d.kafka, d.clickhouse, d.analysts, d.registry, d.observed, d.server, d.pages = "127.0.0.1:8000", "127.0.0.1:9092", "127.0.0.1:8123", "127.0.0.1:8124", "127.0.0.1:8081", "127.0.0.1:9464", "127.0.0.1:8070", "127.0.0.1:8080"
	if once {
		for _, addr := range []*string{&d.collector, &d.kafka, &d.clickhouse, &d.analysts, &d.registry, &d.observed, &d.server, &d.pages} {
			if *addr, err = freeAddr(ctx); err != nil {
				return err
			}
		}
	}
	dumps, err := filepath.Glob(filepath.Join(d.crashes, "*.dmp"))
	if err != nil || len(dumps) == 0 {
		return fmt.Errorf("no dumps in %s (%w)", d.crashes, err)
	}
	dir, err := os.MkdirTemp("", "aftershock-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	up, err := d.up(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.stop()) }()
	if err := d.wait(ctx, up, startTimeout, d.ready); err != nil {
		return fmt.Errorf("up is not ready: %w\n%s", err, up.log())
	}
	show := d.path
	if replay {
		show = d.replay
	}
	if err := show(ctx, up, dir, dumps); err != nil {
		return fmt.Errorf("%w\n%s", err, up.log())
	}
	d.addresses(dir)
	if d.generated > 0 {
		if err := d.tour(ctx); err != nil {
			return fmt.Errorf("what should be seen is not: %w\n%s", err, up.log())
		}
	}
	if once {
		return nil
	}
	fmt.Println("\nCtrl-C ends it.")
	select {
	case <-ctx.Done():
		return nil
	case err := <-up.done:
		return fmt.Errorf("up ended: %w\n%s", err, up.log())
	}
}

// path sends each sample once, and shows what analysts see of it.
func (d *demo) path(ctx context.Context, up *process, dir string, dumps []string) error {
	fmt.Printf("sending %d crashes of real programs …\n", len(dumps))
	ids, err := d.submit(ctx, dumps, "ReleaseChannel=demo")
	if err != nil {
		return err
	}
	if err := d.wait(ctx, up, countTimeout, func(ctx context.Context) error { return d.counted(ctx, ids) }); err != nil {
		return fmt.Errorf("crashes are missing: %w", err)
	}
	if err := d.table(ctx); err != nil || d.generated == 0 {
		return err
	}
	return d.story(ctx, up, dir)
}

// process is a running `aftershock up`; what it prints goes to a file.
type process struct {
	cmd     *exec.Cmd
	logFile string
	done    chan error
}

func (d *demo) up(dir string) (*process, error) {
	d.token = filepath.Join(dir, "data", "clickhouse", "token")
	p := &process{done: make(chan error, 1), logFile: filepath.Join(dir, "up.log")}
	out, err := os.Create(p.logFile)
	if err != nil {
		return nil, err
	}
	defer out.Close()                                                                         //nolint:errcheck // up has it as its own
	p.cmd = exec.Command(d.bin, "--log-json", "up", "--data-dir", filepath.Join(dir, "data"), //nolint:gosec,noctx // our own binary, ended by stop
		"--symbols", d.symbols, "--collector-listen", d.collector, "--kafka-listen", d.kafka,
		"--clickhouse-listen", d.clickhouse, "--analyst-listen", d.analysts, "--registry-listen", d.registry, "--metrics-listen", d.observed, "--symbols-listen", d.server, "--web-listen", d.pages)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// Ctrl-C reaches this program alone, which then ends up in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", d.bin, err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// stop ends up with SIGTERM and says if it did not end well.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return nil //nolint:nilerr // it has ended already, which was told where it was noticed
	}
	select {
	case err := <-p.done:
		if err != nil {
			return fmt.Errorf("up did not end well: %w\n%s", err, p.log())
		}
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("up does not end\n%s", p.log()), p.cmd.Process.Kill())
	}
}

// log is the end of what up printed.
func (p *process) log() string {
	const tail = 4 << 10
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tail):])
}

// wait calls done every quarter of a second until it returns nil.
func (d *demo) wait(ctx context.Context, up *process, patience time.Duration, done func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := done(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case uperr := <-up.done:
			up.done <- uperr
			return fmt.Errorf("up ended: %w", uperr)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (d *demo) ready(ctx context.Context) error {
	_, err := get(ctx, "http://"+d.observed+"/readyz")
	return err
}

// submit returns the crash ids, one a dump.
func (d *demo) submit(ctx context.Context, dumps []string, annotations ...string) ([]string, error) {
	args := []string{"submit", "--url", "http://" + d.collector + "/submit"}
	for _, a := range append(annotations, "URL=https://example.org/what-the-user-looked-at") {
		args = append(args, "--annotation", a)
	}
	cmd := exec.CommandContext(ctx, d.bin, append(args, dumps...)...) //nolint:gosec // our own binary
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	ids := strings.Fields(string(out))
	if err != nil || len(ids) != len(dumps) {
		return nil, fmt.Errorf("%d of %d dumps were taken: %w", len(ids), len(dumps), err)
	}
	return ids, nil
}

// counted fails until every crash is there, once.
func (d *demo) counted(ctx context.Context, ids []string) error {
	text, err := d.query(ctx, "SELECT count(), uniqExactIf(crash_id, crash_id IN ('"+strings.Join(ids, "','")+"')) FROM crashes")
	if err != nil {
		return err
	}
	fields := strings.Fields(text)
	if want := strconv.Itoa(len(ids)); len(fields) != 2 || fields[0] != want || fields[1] != want {
		return fmt.Errorf("ClickHouse has %q, want %s crashes", fields, want)
	}
	return nil
}

// tableRows are printed at most.
const tableRows = 30

// table prints the most frequent signatures, each with the first source line that is the program's
// own: not one of libc (whose paths are relative), a header or Rust's library.
func (d *demo) table(ctx context.Context) error {
	const top = "SELECT signature, count() AS crashes, any(arrayFirst(x -> x != '', arrayMap((path, line) -> " +
		"if(line > 0 AND startsWith(path, '/') AND NOT match(path, '^/(usr/include|rustc|usr/src)/'), concat(path, ':', toString(line)), ''), " +
		"`stack.file`, `stack.line`))) AS line FROM crashes GROUP BY signature ORDER BY crashes DESC, signature"
	text, err := d.query(ctx, top+" LIMIT "+strconv.Itoa(tableRows))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nSIGNATURE\tCRASHES\tFIRST FRAME'S SOURCE LINE\n") //nolint:errcheck // Flush tells
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) == 3 {
			fmt.Fprintf(w, "%s\t%s\t%s\n", shorten(f[0], 90), f[1], f[2]) //nolint:errcheck // Flush tells
		}
	}
	return w.Flush()
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-1] + "…"
}

func (d *demo) addresses(dir string) {
	fmt.Printf(`
pages        http://%s
collector    http://%s/submit
Kafka        %s (topics crash.raw, crash.processed.v1, crash.telemetry)
ClickHouse   http://%s
registry     http://%s
symbols      http://%s
metrics      http://%s/metrics
data         %s (removed at the end)

Ask:   curl 'http://%s/' --data-binary 'SELECT signature, count() FROM crashes GROUP BY signature'
Send:  curl -F ProductName=MyProduct -F Version=1.0 -F upload_file_minidump=@a.dmp http://%s/submit
`, d.pages, d.collector, d.kafka, d.clickhouse, d.registry, d.server, d.observed, dir, d.clickhouse, d.collector)
}

func (d *demo) query(ctx context.Context, sql string) (string, error) {
	return get(ctx, "http://"+d.clickhouse+"/?query="+url.QueryEscape(sql))
}

func get(ctx context.Context, target string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return string(text), err
}

func freeAddr(ctx context.Context) (string, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
