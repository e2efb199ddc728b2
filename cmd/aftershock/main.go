// Command aftershock takes crash reports at a door, keeps each as an event in
// Kafka, and derives from it stacks, signatures, ClickHouse tables and a public
// topic. See README.md for the picture and `aftershock --help` for the verbs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"aftershock/schema"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// cli has one field a verb.
type cli struct {
	Up       upVerb        `cmd:"" help:"Run every role on this machine, with an embedded broker and an embedded ClickHouse."`
	Submit   submitVerb    `cmd:"" help:"Send dumps to a collector, as a crashing program's client does."`
	Collect  collectVerb   `cmd:"" help:"Run the door: reports over HTTP become raw crashes in Kafka."`
	Process  processVerb   `cmd:"" help:"Run a processor: raw crashes become processed ones."`
	Sink     sinkVerbs     `cmd:"" help:"Run a sink: processed crashes go to ClickHouse or to the public topic."`
	Heal     healVerb      `cmd:"" help:"Run the healer: crashes that lacked symbols are made again when these come."`
	Web      webVerbs      `cmd:"" help:"Serve the pages: top crashers, signatures, crashes, and every question; and say who may log in to them."`
	Throttle throttleVerbs `cmd:"" help:"Check and try the door's rules, which say what reports are kept."`
	Walk     walkVerb      `cmd:"" help:"Walk the stacks of a dump. No server is needed."`
	Sign     signVerbs     `cmd:"" help:"Sign crashes and say why, or compare two rulesets. No server is needed."`
	Symbols  symbolsVerbs  `cmd:"" help:"Serve symbol files, and fetch them into the cache; compile, inspect, ask and scrub compiled ones."`
	Blobs    blobsVerbs    `cmd:"" help:"Look after the blob store."`
	Import   importVerb    `cmd:"" help:"Append the crashes of another system's storage, or of a folder of dumps, to crash.raw."`
	Raw      rawVerbs      `cmd:"" help:"Check raw crashes that doors which are not ours have appended."`
	Topics   topicsVerbs   `cmd:"" help:"Create and check the Kafka topics."`
	Embedded embeddedVerb  `cmd:"" hidden:"" help:"The servers that up runs, each in a process of its own."`

	Generate generateVerbs `cmd:"" hidden:"" help:"Fill the system with what was made up."`

	Get       getVerb       `cmd:"" help:"Read one raw crash back: what it is made of, or a dump of it."`
	Reprocess reprocessVerb `cmd:"" help:"Ask for crashes to be processed again; the newer result is seen."`
	DLQ       dlqVerbs      `cmd:"" name:"dlq" help:"Look at dead letters, and try them again."`
	Verify    verifyVerb    `cmd:"" help:"Prove that every raw crash is processed, stored and published once, or say which are not."`

	Replay replayVerbs `cmd:"" help:"See what other rules would make of the crashes, beside what is seen; then promote it, or drop it."`

	Query  queryVerbs `cmd:"" help:"Ask the tables what people ask of them: query list, query NAME --param NAME=VALUE."`
	Export exportVerb `cmd:"" help:"Write crashes as files, one a day: Parquet, CSV or JSON."`
	Stats  statsVerb  `cmd:"" help:"What the tables take: bytes a crash by column, parts, and a forecast; with --brokers how far they are behind."`
	Bugs   bugsVerbs  `cmd:"" help:"Bugs and the signatures they are about."`

	Version    versionVerb    `cmd:"" help:"Which release this is (also --version), and what it ships with: process version, ruleset, registry, schemas."`
	Completion completionVerb `cmd:"" help:"Print a script that completes verbs and flags: source <(aftershock completion bash)."`
	Complete   completeVerb   `cmd:"" hidden:"" help:"What those scripts ask."`

	ClickhousePasswordFile string `help:"File with the password for --clickhouse-url; or set $AFTERSHOCK_CLICKHOUSE_PASSWORD. To write to an embedded ClickHouse: clickhouse/token in its data directory." name:"clickhouse-password-file" placeholder:"FILE"`

	LogLevel    string   `help:"Least level that is logged: debug, info, warn or error. By default info; warn for up on a terminal, where it says by itself how it started." enum:",debug,info,warn,error" default:""`
	Names       string   `help:"File that lists the products and channels there are (docs/annotations.md): no other is public then. It is part of the annotation registry, so all processes must have the same." placeholder:"FILE"`
	Annotations []string `sep:"none" help:"File that adds annotations to those that ship, or overrides them (docs/annotations.md); the later one counts. It is part of the registry of the signature versions that this command begins. Repeat it." placeholder:"FILE"`
	LogJSON     bool     `help:"Log JSON, also on a terminal." name:"log-json"`
}

// run is what every verb's Run gets.
type run struct {
	ctx            context.Context
	log            zerolog.Logger
	stdout, stderr io.Writer
	screen         io.Writer // the terminal of who reads it, nil if nobody does
	passwordFile   string    // of ClickHouse
}

// Durations are whole milliseconds in every line of the process, tests' included.
func init() { zerolog.DurationFieldInteger = true }

func main() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) }

// Main runs one verb and returns the exit code: 0 done, 1 failed, 2 wrong use.
// The first SIGINT or SIGTERM cancels the verb's context; a second one ends the
// process at once.
func Main(args []string, stdout, stderr io.Writer) int {
	var c cli
	code := -1
	if slices.Equal(args, []string{"--version"}) { // verbs have flags of that name
		args = []string{"version"}
	}
	parser, err := kong.New(&c,
		kong.Name("aftershock"),
		kong.Description("Crash reports in, signatures out."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(n int) {
			if code < 0 { // --help asks for 0
				code = n
			}
		}),
		kong.DefaultEnvars("AFTERSHOCK"), // --data-dir is AFTERSHOCK_DATA_DIR
		kong.UsageOnError(),
	)
	if err != nil {
		panic(err) // the struct above does not parse: no test would have passed
	}
	kctx, err := parser.Parse(args)
	if code >= 0 {
		return code
	}
	if err != nil {
		say(stderr, "aftershock: %v\nTry: aftershock --help\n", err)
		return exitUsage
	}
	if err := useRegistry(c.Annotations, c.Names); err != nil {
		say(stderr, "aftershock: %v\n", err)
		return exitUsage
	}
	notice := stderr
	if strings.HasPrefix(kctx.Command(), "embedded") {
		notice = io.Discard // up has said it
	}
	ctx, stop := signals(notice)
	defer stop()
	if err := kctx.Run(&run{
		ctx: ctx, log: c.logger(kctx.Command(), stderr), stdout: stdout, stderr: stderr, screen: c.screen(stdout, stderr), passwordFile: c.ClickhousePasswordFile,
	}); err != nil {
		say(stderr, "aftershock: %v\n", err)
		var usage *usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return 0
}

// maxNamesBytes bounds a file of --names or --annotations.
const maxNamesBytes = 4 << 20

// useRegistry makes the registry of this process the shipped one with files of annotations,
// and a file's names.
func useRegistry(annotations []string, names string) error {
	registry := schema.DefaultRegistry
	add := func(flag, path string, with func(text []byte) (*schema.Registry, error)) error {
		text, err := readSmall(path, maxNamesBytes)
		if err == nil {
			registry, err = with(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", flag, path, err)
		}
		return nil
	}
	for _, path := range annotations {
		if err := add("--annotations", path, registry.With); err != nil {
			return err
		}
	}
	if names != "" {
		if err := add("--names", names, registry.WithNames); err != nil {
			return err
		}
	}
	schema.DefaultRegistry = registry
	return nil
}

// say prints for people. Where that fails there is nobody to tell.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, format, args...) //nolint:errcheck // see above
}

// usageError is wrong use that the flags' parser cannot see.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

// signals returns a context that the first SIGINT or SIGTERM cancels; the second
// one ends the process.
func signals(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		s, ok := <-ch
		if !ok {
			return
		}
		say(stderr, "aftershock: %v: finishing what has begun; once more ends at once\n", s)
		cancel()
		if s, ok = <-ch; ok {
			say(stderr, "aftershock: %v again: ending at once\n", s)
			os.Exit(exitFailed)
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(ch)
		cancel()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// screen is where somebody reads what is not a log: beside it where that is on the terminal.
func (c *cli) screen(stdout, stderr io.Writer) io.Writer {
	switch {
	case c.LogJSON:
		return nil
	case isTerminal(stderr):
		return stderr
	case isTerminal(stdout):
		return stdout
	}
	return nil
}

// logger is JSON for machines, and lines for people.
func (c *cli) logger(command string, w io.Writer) zerolog.Logger {
	level := zerolog.InfoLevel
	people := isTerminal(w) && !c.LogJSON
	switch {
	case c.LogLevel != "":
		level, _ = zerolog.ParseLevel(c.LogLevel) // the flags' parser has looked
	case people && command == "up":
		level = zerolog.WarnLevel
	}
	if people {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
