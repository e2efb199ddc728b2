package replay

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// Selected is a crash for which a condition holds.
type Selected struct {
	CrashID string
	Raw     schema.Position
}

// MaxSelected is how many crashes are selected at most.
const MaxSelected = 1_000_000

// maxWhereBytes bounds a condition.
const maxWhereBytes = 10_000

// Where are the crashes of a population's view for which a condition holds, in the order
// of days and crash ids. Of more than limit it gives none, and how many
// there are. The condition is an expression of columns and values: what reads
// anything else is refused.
func Where(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, p clickhouse.Population, condition string, limit int) (selected []Selected, all int64, err error) {
	if err := checkCondition(condition); err != nil {
		return nil, 0, err
	}
	if limit < 1 || limit > MaxSelected {
		return nil, 0, fmt.Errorf("%d crashes: want 1 to %d", limit, MaxSelected)
	}
	// readonly stops what writes, url(), file() and remote(). The line ends keep the
	// condition's own from reaching what follows.
	from := " FROM aftershock." + p.View + " WHERE (\n%s\n) "
	rows, err := db.Query(ctx, l, fmt.Sprintf("SELECT crash_id, raw_topic, raw_partition, raw_offset"+from+"ORDER BY day, toString(crash_id) LIMIT %d SETTINGS readonly = 1", condition, limit+1))
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var s Selected
		if err := rows.Scan(&s.CrashID, &s.Raw.Topic, &s.Raw.Partition, &s.Raw.Offset); err != nil {
			return nil, 0, err
		}
		selected = append(selected, s)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("clickhouse: %w", err)
	}
	if len(selected) <= limit {
		return selected, int64(len(selected)), nil
	}
	counted, err := db.Query(ctx, l, fmt.Sprintf("SELECT toInt64(count())"+from+"SETTINGS readonly = 1", condition))
	if err != nil {
		return nil, 0, err
	}
	defer counted.Close() //nolint:errcheck // read to the end below
	for counted.Next() {
		if err := counted.Scan(&all); err != nil {
			return nil, 0, err
		}
	}
	return nil, all, counted.Err()
}

// ErrCondition is wrapped by the error about a condition that is none.
var ErrCondition = errors.New("not a condition over columns and values")

func badCondition(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCondition, fmt.Sprintf(format, args...))
}

// conditionToken is what a condition is made of, as ClickHouse cuts it. Anything
// outside of quotes that is not ASCII is refused: ClickHouse knows other quotes and
// signs there.
var conditionToken = regexp.MustCompile(`^(?:` +
	`(?P<space>[ \t\r\n]+)` +
	`|(?P<text>'(?:[^'\\]|\\.|'')*')` +
	"|(?P<name>\"(?:[^\"\\\\]|\\\\.|\"\")*\"|`(?:[^`\\\\]|\\\\.|``)*`)" +
	`|(?P<word>[A-Za-z_][A-Za-z0-9_]*)` +
	`|(?P<number>[0-9][A-Za-z0-9_]*(?:\.[0-9]*(?:[eE][+-]?[0-9]+)?)?)` +
	`|(?P<comment>--|/\*|\*/|#|\$)` +
	`|(?P<open>[(\[])|(?P<close>[)\]])` +
	`|(?P<sign>[-+*/%=<>!.,:?|&^~]))`)

// clauses are words of ClickHouse that begin or end something else than an expression.
var clauses = regexp.MustCompile(`(?i)^(select|from|with|values|union|table|explain|view)$`)

// leaving are functions that read something else than the row, files and other tables,
// or count, log, or do nothing but wait.
var leaving = regexp.MustCompile(`(?i)^(file|dict\w*|joinget\w*|sleep\w*|addresstoline\w*|(global|not|null)\w*in|\w*inignoreset|` +
	`hascolumnintable|generateserialid|logtrace|catboostevaluate|evalmlmethod)$`)

// checkCondition refuses what is not one expression. What it lets through may still be
// refused by the server.
func checkCondition(condition string) error {
	switch {
	case strings.TrimSpace(condition) == "":
		return badCondition("it is empty")
	case len(condition) > maxWhereBytes:
		return badCondition("more than %d bytes", maxWhereBytes)
	case !utf8.ValidString(condition) || strings.ContainsFunc(condition, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f }):
		return badCondition("control characters, or no UTF-8")
	}
	var open []string
	listDepth := 0 // of the list behind IN, 0 for none
	afterIn := false
	for rest := condition; rest != ""; {
		m := conditionToken.FindStringSubmatch(rest)
		if m == nil {
			return badCondition("at %.20q: a quotation without end, or a sign that it cannot have", rest)
		}
		token, kind := m[0], kindOf(m)
		rest = rest[len(token):]
		switch {
		case kind == "space":
			continue
		case kind == "comment":
			return badCondition("%q: comments and the like are refused", token)
		case afterIn && kind != "open":
			return badCondition("IN wants a list of values: IN ('a', 'b')")
		case listDepth > 0 && (kind == "word" || kind == "name"):
			return badCondition("%.40q: IN wants a list of values: IN ('a', 'b')", token)
		case kind == "name" && (strings.Contains(token, `\`) || strings.EqualFold(token[1:len(token)-1], "in")):
			return badCondition("%.40q: no such name", token) // a function can be quoted, too
		case kind == "word" && clauses.MatchString(token):
			return badCondition("%s: subqueries and the like are refused", token)
		case (kind == "word" || kind == "name") && leaving.MatchString(strings.Trim(token, "`\"")) && strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "("):
			return badCondition("%s() reads more than the row, or waits: refused", token)
		case kind == "open":
			open = append(open, token)
			if afterIn {
				listDepth = len(open)
			}
		case kind == "close":
			if len(open) == 0 || open[len(open)-1]+token != "()" && open[len(open)-1]+token != "[]" {
				return badCondition("%q closes nothing", token)
			}
			if listDepth == len(open) {
				listDepth = 0
			}
			open = open[:len(open)-1]
		default: // a value, a column, a function, a sign
		}
		afterIn = kind == "word" && strings.EqualFold(token, "in")
	}
	switch {
	case afterIn:
		return badCondition("IN wants a list of values: IN ('a', 'b')")
	case len(open) > 0:
		return badCondition("%q is not closed", open[len(open)-1])
	}
	return nil
}

// kindOf is the name of the group that matched.
func kindOf(m []string) string {
	for i, name := range conditionToken.SubexpNames() {
		if name != "" && m[i] != "" {
			return name
		}
	}
	return ""
}
