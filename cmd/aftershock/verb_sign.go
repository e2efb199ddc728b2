package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
)

// signVerbs sign crashes without any server.
type signVerbs struct {
	Crash signVerb     `cmd:"" default:"withargs" help:"Sign dumps, processed crashes, or crash data on standard input, and say why."`
	Diff  signDiffVerb `cmd:"" help:"Compare two rulesets over the crash data on standard input."`
}

// maxCrashDataBytes is the longest line of crash data.
const maxCrashDataBytes = 64 << 20

// signVerb signs crashes.
type signVerb struct {
	symbolFlags
	Ruleset string   `help:"Directory of a ruleset, or the ruleset in one file (txtar). The one that ships with this release by default." placeholder:"DIR|FILE" type:"path"`
	JSONL   bool     `help:"Read crash data from standard input, one JSON object a line, and print one result a line." name:"jsonl"`
	JSON    bool     `help:"Print one JSON object a file." name:"json"`
	Why     bool     `help:"Add the steps to the results of --jsonl."`
	Files   []string `arg:"" optional:"" name:"file" help:"Minidumps, processed crashes (an event's bytes as they are in Kafka, or JSON as walk --json and Socorro give it), or crash data; - is standard input." type:"existingfile"`
}

// signed is a result as it is printed.
type signed struct {
	File           string           `json:"file,omitempty"`
	Signature      string           `json:"signature"`
	Notes          []string         `json:"notes"`
	ProtoSignature string           `json:"proto_signature"`
	Why            []signature.Step `json:"why,omitempty"`
	// Error is what is wrong with a line that is no crash data.
	Error string `json:"error,omitempty"`
}

func newSigned(r signature.Result) signed {
	notes := r.Notes
	if notes == nil {
		notes = []string{} // always an array
	}
	return signed{Signature: r.Signature, Notes: notes, ProtoSignature: r.ProtoSignature, Why: r.Why}
}

// Run signs files or lines of standard input.
func (v *signVerb) Run(r *run) error {
	if v.JSONL == (len(v.Files) > 0) {
		return &usageError{"sign: want either files or --jsonl"}
	}
	ruleset, err := openRuleset(v.Ruleset)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(r.stdout, 64<<10)
	if v.JSONL {
		collectLess()
		err = v.lines(os.Stdin, out, ruleset)
	} else {
		err = v.files(r, out, ruleset)
	}
	return errors.Join(err, out.Flush())
}

// openRuleset reads a ruleset from a directory or a file; none is the default.
func openRuleset(path string) (*signature.Ruleset, error) {
	if path == "" {
		return signature.Default(), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("--ruleset: %w", err)
	}
	if info.IsDir() {
		ruleset, err := signature.FromFS(os.DirFS(path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return ruleset, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--ruleset: %w", err)
	}
	ruleset, err := signature.FromArchive(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ruleset, nil
}

// lines prints one result for each line. A line that is no crash data is a
// result with an error, and fails the verb at the end.
func (v *signVerb) lines(in io.Reader, out io.Writer, ruleset *signature.Ruleset) error {
	sign := ruleset.Generate
	if v.Why {
		sign = ruleset.Explain
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	bad := 0
	err := eachCrash(in, func(c *signature.Crash, err error) error {
		if err != nil {
			bad++
			return encoder.Encode(signed{Notes: []string{}, Error: err.Error()})
		}
		return encoder.Encode(newSigned(sign(c)))
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("sign: %d lines are no crash data", bad)
	}
	return err
}

// eachCrash calls do for every line of crash data, or with what is wrong with it.
func eachCrash(in io.Reader, do func(*signature.Crash, error) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), maxCrashDataBytes)
	number := 0
	for lines.Scan() {
		number++
		c, err := signature.ParseCrash(lines.Bytes())
		if err != nil {
			err = fmt.Errorf("line %d: %w", number, err)
		}
		if err := do(c, err); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: more than %d bytes", number+1, maxCrashDataBytes)
	}
	return lines.Err()
}

// files signs each file by what it is.
func (v *signVerb) files(r *run, out io.Writer, ruleset *signature.Ruleset) error {
	progress := showDownloads(r.stderr)
	defer progress.clear()
	caches, err := v.caches(r.log, nil, progress, 0)
	if err != nil {
		return err
	}
	defer caches.close()
	p := processor.Processor{Ruleset: ruleset, Annotations: schema.DefaultRegistry, Symbols: caches.found()}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, path := range v.Files {
		data, err := readFile(path)
		if err != nil {
			return err
		}
		crash, err := readCrash(r.ctx, &p, data)
		progress.clear()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		s := newSigned(ruleset.Explain(crash))
		s.File = filepath.Base(path)
		if v.JSON {
			err = encoder.Encode(s)
		} else {
			err = s.print(out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

// readCrash reads a crash of any form. Only what begins as one of the others is
// no dump: what a processor cannot read of a dump is in its signature.
func readCrash(ctx context.Context, p *processor.Processor, data []byte) (*signature.Crash, error) {
	switch begin := bytes.TrimLeft(data, " \t\r\n"); {
	case len(begin) > 0 && begin[0] == '{':
		return signature.ParseDocument(data)
	case len(data) > 0 && data[0] == 0:
		processed, err := schema.Decode[schema.ProcessedCrash](data)
		if err != nil {
			return nil, err
		}
		return signature.FromProcessed(processed), nil
	}
	processed, err := p.Process(ctx, processor.Input{Raw: &schema.RawCrash{}, Dump: data})
	if err != nil {
		return nil, err
	}
	return signature.FromProcessed(processed), nil
}

// print writes the result for people.
func (s *signed) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s\n  %s\n", s.File, s.Signature)
	for _, step := range s.Why {
		if err == nil {
			_, err = fmt.Fprintf(out, "    %v\n", step)
		}
	}
	for _, note := range s.Notes {
		if err == nil {
			_, err = fmt.Fprintf(out, "    note: %s\n", note)
		}
	}
	return err
}
