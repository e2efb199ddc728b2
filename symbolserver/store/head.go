package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"aftershock/breakpad"
)

// MaxHeadBytes bounds what is read for the records that a symbol file begins with.
const MaxHeadBytes = 64 << 10

// Head is what a symbol file says of its module.
type Head struct {
	OS, Arch, DebugID, DebugFile string
	// CodeID and CodeFile are empty when the file has no INFO CODE_ID. An ELF's has no
	// name; then CodeFile is the DebugFile.
	CodeID, CodeFile string
	Generator        string
}

// ReadHead reads the records that a symbol file begins with, of text that is not encoded.
// Names end where their lines end, whatever is in them. A text that begins otherwise is
// breakpad.ErrNoModule.
func ReadHead(text io.Reader) (Head, error) {
	lines := bufio.NewReaderSize(io.LimitReader(text, MaxHeadBytes), 4<<10)
	line, err := readLine(lines)
	fields := strings.SplitN(line, " ", 5)
	if len(fields) < 5 || fields[0] != "MODULE" || fields[4] == "" {
		if err != nil && !errors.Is(err, io.EOF) {
			return Head{}, err
		}
		return Head{}, fmt.Errorf("%w: it begins with %.40q", breakpad.ErrNoModule, line)
	}
	h := Head{OS: fields[1], Arch: fields[2], DebugID: fields[3], DebugFile: fields[4]}
	for err == nil {
		line, err = readLine(lines)
		record, rest, _ := strings.Cut(line, " ")
		if record != "INFO" {
			break
		}
		kind, rest, _ := strings.Cut(rest, " ")
		switch kind {
		case "CODE_ID":
			h.CodeID, h.CodeFile, _ = strings.Cut(rest, " ")
		case "GENERATOR":
			h.Generator = rest
		}
	}
	if h.CodeID != "" && h.CodeFile == "" {
		h.CodeFile = h.DebugFile
	}
	return h, nil
}

// readLine reads a line without its end. The last one may have none.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}
