package embedded

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"github.com/rs/zerolog"
)

// lineLog logs what a child writes, line by line, and keeps the last lines. A line
// that is an event of the child's own log is logged as that event, at its level.
// Its Write is called by one goroutine; tail may be called by another.
type lineLog struct {
	log    zerolog.Logger
	stream string

	mu      sync.Mutex
	line    []byte
	cut     bool // the line has more bytes than are kept
	lastFew []string
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range p {
		switch {
		case b == '\n':
			l.flush()
		case len(l.line) < maxLogLineBytes:
			l.line = append(l.line, b)
		default:
			l.cut = true
		}
	}
	return len(p), nil
}

func (l *lineLog) flush() {
	text := string(l.line)
	if l.cut {
		text += " […]"
	}
	l.line, l.cut = l.line[:0], false
	if text == "" {
		return
	}
	if said, ok := l.event(text); ok {
		text = said
	} else {
		l.log.Info().Str("stream", l.stream).Str("line", text).Msg("child output")
	}
	if len(l.lastFew) == keptStderrLines {
		l.lastFew = append(l.lastFew[:0], l.lastFew[1:]...)
	}
	l.lastFew = append(l.lastFew, text)
}

// event logs a line that is an event, and returns what it says in short.
func (l *lineLog) event(line string) (said string, ok bool) {
	fields, ok := parseEvent(line)
	if !ok {
		return "", false
	}
	level, err := zerolog.ParseLevel(textOf(fields, zerolog.LevelFieldName))
	if err != nil || level < zerolog.TraceLevel || level > zerolog.ErrorLevel {
		return "", false
	}
	said = textOf(fields, zerolog.MessageFieldName)
	for _, name := range []string{zerolog.LevelFieldName, zerolog.MessageFieldName, zerolog.TimestampFieldName} {
		delete(fields, name)
	}
	l.log.WithLevel(level).Fields(fields).Msg(said)
	for _, name := range []string{zerolog.ErrorFieldName, "detail"} {
		if why := textOf(fields, name); why != "" {
			said += ": " + why
		}
	}
	return said, true
}

// parseEvent reads a line that is one JSON object with a level.
func parseEvent(line string) (fields map[string]any, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(line)))
	d.UseNumber() // as they were written
	if err := d.Decode(&fields); err != nil || d.More() {
		return nil, false
	}
	_, ok = fields[zerolog.LevelFieldName]
	return fields, ok
}

// textOf is a field's text, "" if it has none.
func textOf(fields map[string]any, name string) string {
	text, _ := fields[name].(string)
	return text
}

// tail is the last lines in a form that can follow an error message.
func (l *lineLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.flush()
	}
	if len(l.lastFew) == 0 {
		return ""
	}
	return ": " + strings.Join(l.lastFew, "\n")
}
