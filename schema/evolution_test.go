package schema

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withNext is the table with a second version of every event: two fields more,
// with defaults.
func withNext(t *testing.T) table {
	t.Helper()
	next := slices.Clone(released)
	for _, s := range released {
		var record map[string]any
		if err := json.Unmarshal([]byte(s.Avsc), &record); err != nil {
			t.Fatal(err)
		}
		record["fields"] = append(record["fields"].([]any),
			map[string]any{"name": "added", "type": []any{"null", "string"}, "default": nil},
			map[string]any{"name": "added_record", "default": map[string]any{"n": 7}, "type": map[string]any{
				"type": "record", "name": "Added", "fields": []any{map[string]any{"name": "n", "type": "int"}},
			}})
		text, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		next = append(next, Released{ID: s.ID + 100, Subject: s.Subject, Version: s.Version + 1, record: s.record, Avsc: string(text)})
	}
	next, err := next.parse()
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestNextReleaseReadsWhatThisOneWrote(t *testing.T) {
	next := withNext(t)
	t.Run("RawCrash", func(t *testing.T) { readsFrozen[RawCrash](t, next, "raw_crash") })
	t.Run("ProcessedCrash", func(t *testing.T) { readsFrozen[ProcessedCrash](t, next, "processed_crash") })
	t.Run("TelemetryCrash", func(t *testing.T) { readsFrozen[TelemetryCrash](t, next, "telemetry_crash") })
	t.Run("VersionEvent", func(t *testing.T) { readsFrozen[VersionEvent](t, next, "version_event") })
}

func readsFrozen[E Event](t *testing.T, next table, file string) {
	frozen, err := os.ReadFile(filepath.Join("testdata", file+".v1.bin"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Decode[E](frozen)
	if err != nil {
		t.Fatal(err)
	}
	name, id := recordName(want), int(binary.BigEndian.Uint32(frozen[1:headerBytes]))
	then, err := released.reader(name, id)
	if err != nil {
		t.Fatal(err)
	}
	now, err := next.reader(name, id)
	if err != nil {
		t.Fatal(err)
	}
	// What was there reads the same, and what was not has its default.
	var before, fields map[string]any
	if _, err := then.Decode(frozen[headerBytes:], &before); err != nil {
		t.Fatal(err)
	}
	if _, err := now.Decode(frozen[headerBytes:], &fields); err != nil {
		t.Fatal(err)
	}
	before["added"], before["added_record"] = nil, map[string]any{"n": int32(7)}
	if d := cmp.Diff(before, fields); d != "" {
		t.Error(d)
	}
	// And what the next release writes, this one does not guess at.
	s := next.newest(name)
	value := binary.BigEndian.AppendUint32([]byte{0}, uint32(s.ID))
	fields["added"] = "new"
	if value, err = s.parsed.AppendEncode(value, fields); err != nil {
		t.Fatal(err)
	}
	if again, err := next.reader(name, s.ID); err != nil {
		t.Error(err)
	} else if _, err := again.Decode(value[headerBytes:], new(any)); err != nil {
		t.Errorf("the next release does not read itself: %v", err)
	}
	if _, err := Decode[E](value); !errors.Is(err, ErrUnknownSchema) {
		t.Errorf("this release on the next one's event: %v", err)
	}
	// Without its id it is not taken for ours either: it has a tail.
	value = bytes.Join([][]byte{frozen[:headerBytes], value[headerBytes:]}, nil)
	if _, err := Decode[E](value); err == nil {
		t.Error("an event of another schema was read with ours")
	}
}
