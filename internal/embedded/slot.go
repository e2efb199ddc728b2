package embedded

import (
	"errors"
	"slices"
	"strings"
)

// slot is a connection of the engine together with what is known of its state.
// One request has it at a time, and leaves it as it was found.
type slot struct {
	conn     *engineConn
	readOnly bool
	database string            // the current one, "" when unknown
	baseline map[string]string // settings that differ from the engine's defaults
}

// baseSettings is what the engine gets on every connection.
var baseSettings = []param{
	{"async_insert", "0"},    // 1 since 26.7: a batch would no longer be one block, written when it is acknowledged
	{"implicit_select", "0"}, // the library's own default takes "1 + 1" for a query; a server does not
}

// commentSetting marks the statements of a request, so that KILL QUERY finds
// them: the library gives them query ids of its own.
const commentSetting = "log_comment"

// newSlot brings a fresh connection into its initial state.
func newSlot(conn *engineConn, readOnly bool) (*slot, error) {
	settings := baseSettings
	if readOnly {
		// Others may be set, this one not any more. It does not keep functions from
		// files and other servers: forbidden.go does.
		settings = append(slices.Clone(settings), param{"readonly", "2"})
	}
	if _, err := conn.text(setStatement(settings)); err != nil {
		return nil, err
	}
	s := &slot{conn: conn, readOnly: readOnly}
	var err error
	s.baseline, err = s.changedSettings()
	return s, err
}

// changedSettings reads the settings that are not at the engine's defaults.
func (s *slot) changedSettings() (map[string]string, error) {
	out, err := s.conn.text("SELECT name, value FROM system.settings WHERE changed AND name != '" + commentSetting + "'")
	if err != nil {
		return nil, err
	}
	settings := make(map[string]string)
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		settings[name] = value // escaped as TSV, which a string literal takes as it is
	}
	return settings, nil
}

// use makes database the current one.
func (s *slot) use(database string) error {
	if database == s.database {
		return nil
	}
	if _, err := s.conn.text("USE " + quoteName(database)); err != nil {
		return err
	}
	s.database = database
	return nil
}

// set applies a request's settings and marks its statement with comment. After
// an error some may have been applied.
func (s *slot) set(settings []param, comment string) error {
	var values []param
	for _, setting := range settings {
		values = append(values, param{setting.name, quoteString(setting.value)})
	}
	values = append(values, param{commentSetting, quoteString(comment)}) // the last one counts
	_, err := s.conn.text(setStatement(values))
	return err
}

// unset puts the settings back to their values in baseline.
func (s *slot) unset(settings []param, baseline map[string]string) error {
	if len(settings) == 0 {
		return nil
	}
	var values []param
	for _, setting := range settings {
		values = append(values, param{setting.name, baselineValue(baseline, setting.name)})
	}
	_, err := s.conn.text(setStatement(values))
	return err
}

func baselineValue(baseline map[string]string, name string) string {
	if value, ok := baseline[name]; ok {
		return "'" + value + "'" // escaped already, see changedSettings
	}
	return "DEFAULT"
}

// scrub undoes whatever statements may have done to the connection: settings,
// the current database, temporary tables.
func (s *slot) scrub() error {
	s.database = ""
	now, err := s.changedSettings()
	if err != nil {
		return err
	}
	var values []param
	for name, value := range now {
		if want, ok := s.baseline[name]; !ok || want != value {
			values = append(values, param{name, baselineValue(s.baseline, name)})
		}
	}
	for name := range s.baseline {
		if _, ok := now[name]; !ok {
			values = append(values, param{name, baselineValue(s.baseline, name)})
		}
	}
	if len(values) > 0 {
		_, err = s.conn.text(setStatement(values))
	}
	return errors.Join(err, s.dropTemporary())
}

func (s *slot) dropTemporary() error {
	out, err := s.conn.text("SELECT name FROM system.tables WHERE is_temporary")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		// The name is escaped as TSV, which a quoted identifier takes as it is.
		name := strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "`", "\\`")
		if _, err := s.conn.text("DROP TEMPORARY TABLE IF EXISTS `" + name + "`"); err != nil {
			return err
		}
	}
	return nil
}

// currentDatabase asks the engine.
func (s *slot) currentDatabase() (string, error) {
	var name string
	err := s.conn.query("SELECT currentDatabase()", "RawBLOB", nil, func(b []byte) error {
		name = string(b)
		return nil
	})
	return name, err
}
