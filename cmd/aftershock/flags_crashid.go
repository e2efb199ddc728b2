package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"aftershock/schema"
)

// crashIDArg is a crash id as people have it: alone, or bp-<id> as a client got it.
func crashIDArg(text string) (string, error) {
	id := strings.TrimPrefix(strings.TrimSpace(text), "bp-")
	if _, err := schema.CrashDay(id); err != nil {
		return "", &usageError{err.Error()}
	}
	return id, nil
}

// crashIDs are those of the arguments and of a file with one a line, - for stdin,
// each once and no more than limit. Empty lines are left out.
func crashIDs(args []string, file string, limit int) ([]string, error) {
	var ids []string
	seen := map[string]bool{}
	add := func(text string) error {
		id, err := crashIDArg(text)
		if err != nil || seen[id] {
			return err
		}
		if len(ids) == limit {
			return &usageError{fmt.Sprintf("more than %d crash ids: give fewer at a time", limit)}
		}
		seen[id] = true
		ids = append(ids, id)
		return nil
	}
	for _, text := range args {
		if err := add(text); err != nil {
			return nil, err
		}
	}
	if file != "" {
		var in io.Reader = os.Stdin
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				return nil, err
			}
			defer f.Close() //nolint:errcheck // read only
			in = f
		}
		s := bufio.NewScanner(in)
		for n := 1; s.Scan(); n++ {
			if strings.TrimSpace(s.Text()) == "" {
				continue
			}
			if err := add(s.Text()); err != nil {
				return nil, &usageError{fmt.Sprintf("%s line %d: %v", file, n, err)}
			}
		}
		if err := s.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(ids) == 0 {
		return nil, &usageError{"want at least one crash id"}
	}
	return ids, nil
}
