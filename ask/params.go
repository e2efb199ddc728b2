package ask

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxParamBytes bounds a parameter's value.
const maxParamBytes = 4096

// Values are the parameters for the server: those that are given, and the defaults of the
// others. Times may be dates, times of RFC 3339, now, or how long before now (36h, 7d), and
// are made UTC. It refuses parameters that the question has not, that it needs and has not,
// and that have not their type.
func (q Query) Values(given map[string]string, now time.Time) (map[string]string, error) {
	for name := range given {
		if !slices.ContainsFunc(q.Params, func(p Param) bool { return p.Name == name }) {
			return nil, fmt.Errorf("%s has no parameter %q: it has %s", q.Name, name, q.names())
		}
	}
	values := map[string]string{}
	for _, p := range q.Params {
		text, ok := given[p.Name]
		if !ok {
			if p.Required {
				return nil, fmt.Errorf("%s needs the parameter %s: %s", q.Name, p.Name, p.Doc)
			}
			text = p.Default
		}
		value, err := p.value(text, now)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		values[p.Name] = value
	}
	return values, nil
}

func (q Query) names() string {
	var names []string
	for _, p := range q.Params {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// value is a value as the server reads it.
func (p Param) value(text string, now time.Time) (string, error) {
	most := maxParamBytes
	if p.Type == "Array(String)" {
		most = maxListBytes
	}
	if len(text) > most {
		return "", fmt.Errorf("more than %d bytes", most)
	}
	switch {
	case p.Type == "Array(String)":
		return listOf(text)
	case strings.HasPrefix(p.Type, "DateTime"):
		at, err := moment(text, now)
		if err != nil {
			return "", err
		}
		if p.Type == "DateTime" {
			return at.UTC().Format(time.DateTime), nil
		}
		return Time(at), nil
	case strings.HasPrefix(p.Type, "UInt"):
		if _, err := strconv.ParseUint(text, 10, 32); err != nil {
			return "", fmt.Errorf("%.40q: want a number from 0 to %d", text, uint32(1<<32-1))
		}
	case strings.HasPrefix(p.Type, "Float"):
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return "", fmt.Errorf("%.40q: want a number", text)
		}
	}
	return escaped.Replace(text), nil
}

// listOf is a list of texts, one a line. It is whole, or refused.
func listOf(text string) (string, error) {
	var all []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			all = append(all, line)
		}
	}
	list, whole := list(all)
	if !whole {
		return "", fmt.Errorf("more than %d texts, or %d bytes of them", maxListed, maxListBytes)
	}
	return list, nil
}

// escaped is how parameters travel: as fields of TabSeparated.
var escaped = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

// maxAgo is how many days ago a time may be.
const maxAgo = 36500

// moment reads a time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= maxAgo {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%.40q: want a time like 2026-11-22 or 2026-11-22T10:00:00Z, now, or how long ago it was, like 36h or 7d", text)
}
