package store

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
)

// What a directory cannot say of a file by itself stands in a note: a file below
// .aftershock/note with the same path. It is in place before its file is. So it counts only
// for a file that has the size and the time that it names: for a file that other hands put
// there, or whose Put was broken off before, the note is another's, and nothing is known.

const (
	noteFolder = reserved + "/note/"
	// maxNoteBytes bounds a note; By is at most MaxByBytes, each of them escaped.
	maxNoteBytes = 4 << 10
)

type note struct {
	SHA256   string `json:"sha256,omitempty"`
	By       string `json:"by,omitempty"`
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified_ns"`
}

func noteOf(name string) string { return noteFolder + name }

// writeNote writes the note of a file that lies aside; "" when there is nothing to note.
func (d dir) writeNote(o Object, info fs.FileInfo) (string, error) {
	if o.SHA256 == "" && o.By == "" {
		return "", nil
	}
	text, err := json.Marshal(note{SHA256: o.SHA256, By: o.By, Bytes: info.Size(), Modified: info.ModTime().UnixNano()})
	if err != nil {
		return "", err
	}
	name, _, err := d.writeAside(bytes.NewReader(text))
	return name, err
}

// readNote reads what is known of a file.
func (d dir) readNote(name string, info fs.FileInfo) (sha256, by string) {
	f, err := os.Open(d.at(noteOf(name)))
	if err != nil {
		return "", ""
	}
	defer f.Close() //nolint:errcheck // opened for reading
	text, err := io.ReadAll(io.LimitReader(f, maxNoteBytes))
	var n note
	if err != nil || json.Unmarshal(text, &n) != nil || n.Bytes != info.Size() || n.Modified != info.ModTime().UnixNano() {
		return "", ""
	}
	return n.SHA256, n.By
}
