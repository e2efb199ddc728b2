package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"aftershock/symbolserver/send"
)

// symbolsTokenVariable is the environment's variable with the token of who uploads.
const symbolsTokenVariable = "AFTERSHOCK_SYMBOLS_TOKEN" //nolint:gosec // its name

// symbolsUploadVerb sends files to a symbol server.
type symbolsUploadVerb struct {
	Paths     []string `arg:"" name:"path" help:"Symbol files (plain, gzip or zstd), modules' own files (ELF, PE, Mach-O), or directories of such; what else lies in directories is passed over." type:"existing"`
	URL       string   `help:"The symbol server." required:"" name:"url" placeholder:"URL"`
	TokenFile string   `help:"File with the token; or set $AFTERSHOCK_SYMBOLS_TOKEN." placeholder:"FILE" type:"existingfile"`
	Try       bool     `help:"They are of a build that is tried: they are found below /try/ alone, and dropped after a while."`
	Replace   bool     `help:"Put files in place of others that are there. Crashes are made again with them, unless they tell less."`
	Parallel  int      `help:"How many files are sent at a time." default:"4"`
	DryRun    bool     `help:"Find out what the files are, and send none."`
	JSON      bool     `help:"One JSON object a file, and one for the total." name:"json"`
}

const (
	maxParallel = 64
	// sendTime bounds one request: a large file over a slow line.
	sendTime            = 30 * time.Minute
	maxUploadTokenBytes = 4096
)

// uploadLine is what is printed of a file.
type uploadLine struct {
	File   string `json:"file"`
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	send.Outcome
}

// totals are the last line.
type totals struct {
	Kept, Same, Replaced, Failed int   `json:"-"`
	Sent                         int64 `json:"-"`
	took                         time.Duration
}

var errNotUploaded = errors.New("not on the server")

// Run fails when a file is not there at the end. Sending the same again does no harm: what is
// there is not sent.
func (v *symbolsUploadVerb) Run(r *run) error {
	token, err := v.token()
	if err != nil {
		return err
	}
	at, err := url.Parse(v.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return &usageError{"--url: want http://host or https://host"}
	}
	if v.Parallel < 1 || v.Parallel > maxParallel {
		return &usageError{fmt.Sprintf("--parallel: want 1 to %d", maxParallel)}
	}
	files, err := v.find(r)
	if err != nil {
		return err
	}
	var t totals
	began := time.Now()
	shown := r.bar("uploaded", len(files))
	printed := make([]uploadLine, 0, len(files))
	sender := send.Sender{URL: v.URL, Token: token, Try: v.Try, Replace: v.Replace, Parallel: v.Parallel, Client: &http.Client{Timeout: sendTime}, Done: func(f send.File, o send.Outcome) {
		t.add(o)
		printed = append(printed, uploadLine{f.Name, f.Path.String(), f.SHA256, f.Bytes, o})
		shown.add(1)
	}}
	if !v.DryRun {
		err = sender.Send(r.ctx, files)
	}
	shown.end()
	t.took = time.Since(began)
	if v.DryRun {
		for _, f := range files {
			printed = append(printed, uploadLine{File: f.Name, Key: f.Path.String(), SHA256: f.SHA256, Bytes: f.Bytes})
		}
	}
	if err != nil && len(printed) == 0 { // nothing is known of any
		return fmt.Errorf("none of %d files sent: %w", len(files), err)
	}
	return errors.Join(v.print(r, printed, t), err, t.err(len(files), v.DryRun))
}

func (t *totals) add(o send.Outcome) {
	t.Sent += o.Sent
	switch o.Status {
	case "kept":
		t.Kept++
	case "same":
		t.Same++
	case "replaced":
		t.Replaced++
	default:
		t.Failed++
	}
}

// err is nil when all files are there.
func (t *totals) err(files int, dry bool) error {
	if left := files - t.Kept - t.Same - t.Replaced; left > 0 && !dry {
		return fmt.Errorf("%d of %d files: %w", left, files, errNotUploaded)
	}
	return nil
}

// token is what the server knows us by.
func (v *symbolsUploadVerb) token() (string, error) {
	token := os.Getenv(symbolsTokenVariable)
	if v.TokenFile != "" {
		text, err := readSmall(v.TokenFile, maxUploadTokenBytes)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		token = string(text)
	}
	if token = strings.TrimSpace(token); token == "" && !v.DryRun {
		return "", &usageError{"no token: set $" + symbolsTokenVariable + ", or name a file with --token-file (aftershock symbols token add makes one)"}
	}
	return token, nil
}

// find looks at all files before the first is sent.
func (v *symbolsUploadVerb) find(r *run) ([]send.File, error) {
	var files []send.File
	passed := 0
	by := map[string]string{}
	err := send.Find(v.Paths, func(f send.File) error {
		if other, twice := by[f.Path.String()+f.SHA256]; twice {
			say(r.stderr, "%s is %s once more\n", f.Name, other)
			return nil
		}
		by[f.Path.String()+f.SHA256] = f.Name
		files = append(files, f)
		return r.ctx.Err()
	}, func(string, error) { passed++ })
	if err != nil {
		return nil, err
	}
	if passed > 0 {
		say(r.stderr, "%d files are neither symbol files nor modules with an id, and are passed over\n", passed)
	}
	if len(files) == 0 {
		return nil, errors.New("no symbol files there")
	}
	return files, nil
}

// print tells of each file where somebody must look, and how many there are of the others; with
// --json of all.
func (v *symbolsUploadVerb) print(r *run, lines []uploadLine, t totals) error {
	if v.JSON {
		out := json.NewEncoder(r.stdout)
		for _, l := range lines {
			if err := out.Encode(l); err != nil {
				return err
			}
		}
		return out.Encode(map[string]any{"files": len(lines), "kept": t.Kept, "same": t.Same, "replaced": t.Replaced, "failed": t.Failed, "sent_bytes": t.Sent, "seconds": t.took.Seconds()})
	}
	for _, l := range lines {
		v.line(r.stdout, l)
	}
	if v.DryRun {
		_, err := fmt.Fprintf(r.stdout, "%d files, none sent (--dry-run)\n", len(lines))
		return err
	}
	_, err := fmt.Fprintf(r.stdout, "%d files: %d uploaded, %d were there, %d replaced, %d failed; %.1f MB sent in %s\n",
		len(lines), t.Kept, t.Same, t.Replaced, t.Failed, float64(t.Sent)/1e6, t.took.Round(100*time.Millisecond))
	return err
}

func (v *symbolsUploadVerb) line(out io.Writer, l uploadLine) {
	switch {
	case v.DryRun:
		say(out, "%s  %s\n", printable(l.Key), printable(l.File))
	case l.Failed():
		say(out, "FAILED %s (%s): %s\n", printable(l.Key), printable(l.File), printable(l.Message))
	case len(l.Warnings) > 0:
		say(out, "%s %s: %s\n", l.Status, printable(l.Key), printable(strings.Join(l.Warnings, "; ")))
	}
}
