package schema_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

func TestHeadIsThatOfEveryReleasedVersion(t *testing.T) {
	for version := 1; version <= 3; version++ {
		value, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("processed_crash.v%d.bin", version)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := schema.Decode[schema.ProcessedCrash](value)
		if err != nil {
			t.Fatal(err)
		}
		head, err := schema.DecodeHead(value)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		want := &schema.ProcessedHead{CrashID: p.CrashID, ReceivedAt: p.ReceivedAt, Raw: p.Raw, SignatureVersion: p.SignatureVersion, Revision: p.Revision}
		if d := cmp.Diff(want, head); d != "" || head.CrashID == "" {
			t.Errorf("version %d: %s", version, d)
		}
		for n := range value { // what is cut has the same head, or none
			head, err := schema.DecodeHead(value[:n])
			if err == nil && (n < 10 || !cmp.Equal(want, head)) {
				t.Errorf("version %d: %d bytes have the head %+v", version, n, head)
			}
		}
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "raw_crash.v1.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.DecodeHead(raw); !errors.Is(err, schema.ErrUnknownSchema) {
		t.Errorf("a raw crash: %v", err)
	}
	if _, err := schema.DecodeHead([]byte("no event")); !errors.Is(err, schema.ErrNotConfluent) {
		t.Errorf("no event: %v", err)
	}
}
