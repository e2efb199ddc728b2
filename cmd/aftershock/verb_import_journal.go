package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// importJournal remembers what an import has appended. Before a batch it writes what is in
// it and where crash.raw ends, behind it that it is there: of a batch without an end only
// what lies behind those offsets must be looked for.
type importJournal struct {
	file  *os.File
	kafka stream.Kafka
	done  map[string]bool // paths
}

// journalLine is a line of it: the head, a batch that begins, or one that is there.
type journalLine struct {
	Source string            `json:"source,omitempty"`
	Begin  map[string]string `json:"begin,omitempty"` // path → crash id
	At     map[int32]int64   `json:"at,omitempty"`    // partition → end of crash.raw
	Done   []string          `json:"done,omitempty"`  // paths
}

// maxJournalLine is more than a batch of the longest paths.
const maxJournalLine = 4 << 20

// openImportJournal reads the journal, and finds out what became of a batch that had begun.
func openImportJournal(ctx context.Context, path, source string, kafka stream.Kafka) (*importJournal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--journal: %w", err)
	}
	j := &importJournal{file: file, kafka: kafka, done: map[string]bool{}}
	open, err := j.read(path, source)
	if err == nil && open != nil {
		err = j.find(ctx, open)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

// read reads the lines, and returns the batch that was begun and not ended. A last line that
// is cut is written over: what it would have said had not begun, or is looked for.
func (j *importJournal) read(path, source string) (open *journalLine, err error) {
	in := bufio.NewReaderSize(j.file, 1<<16)
	var at int64
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // also of a line that is cut
		}
		if err != nil {
			return nil, err
		}
		var line journalLine
		if len(text) > maxJournalLine || json.Unmarshal(text, &line) != nil {
			return nil, fmt.Errorf("--journal: %s line %d is no import's", path, n)
		}
		if n == 1 && line.Source != source {
			return nil, fmt.Errorf("--journal: %s is of %q: name another file", path, line.Source)
		}
		at += int64(len(text))
		for _, p := range line.Done {
			j.done[p] = true
			open = nil
		}
		if line.Begin != nil {
			open = &line
		}
	}
	if err := j.file.Truncate(at); err != nil {
		return nil, err
	}
	if _, err := j.file.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	if at == 0 {
		return nil, j.write(journalLine{Source: source})
	}
	return open, nil
}

// find looks for what of a batch is there.
func (j *importJournal) find(ctx context.Context, open *journalLine) error {
	paths := map[string]string{}
	for path, id := range open.Begin {
		paths[id] = path
	}
	line := journalLine{Done: []string{}}
	err := stream.EachFrom(ctx, j.kafka, schema.TopicRaw, open.At, func(r *kgo.Record) error {
		if path, ours := paths[string(r.Key)]; ours && !j.done[path] {
			j.done[path] = true
			line.Done = append(line.Done, path)
		}
		return nil
	})
	if err != nil || len(line.Done) == 0 {
		return err
	}
	return j.write(line)
}

// begin writes what is about to be appended.
func (j *importJournal) begin(ctx context.Context, batch []imported) error {
	g, err := stream.NewGroups(j.kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	spans, err := g.Spans(ctx, schema.TopicRaw)
	if err != nil {
		return err
	}
	line := journalLine{Begin: map[string]string{}, At: map[int32]int64{}}
	for p, s := range spans {
		line.At[p] = s.End
	}
	for _, c := range batch {
		line.Begin[c.path] = c.raw.CrashID
	}
	return j.write(line)
}

// end writes that it is there.
func (j *importJournal) end(batch []imported) error {
	var line journalLine
	for _, c := range batch {
		j.done[c.path] = true
		line.Done = append(line.Done, c.path)
	}
	return j.write(line)
}

func (j *importJournal) write(line journalLine) error {
	text, err := json.Marshal(line)
	if err == nil {
		_, err = j.file.Write(append(text, '\n'))
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("--journal: %w", err)
	}
	return nil
}

func (j *importJournal) close() error {
	if err := j.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}
