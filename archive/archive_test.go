package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket/buckettest"
)

// filled is a directory of files, path and content in turn.
func filled(t *testing.T, files ...string) Files {
	t.Helper()
	dir := t.TempDir()
	for pair := range slices.Chunk(files, 2) {
		path := filepath.Join(dir, filepath.FromSlash(pair[0]))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(pair[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// told is what an archive hands over, a line a crash.
func told(t *testing.T, files Files) (out []string) {
	t.Helper()
	a, err := Open(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Each(t.Context(), func(string) bool { return true }, func(c *Crash, skip *SkipError) error {
		if skip != nil {
			out = append(out, skip.Path+" skipped: "+skip.Code)
			return nil //nolint:nilerr // it is told
		}
		line := fmt.Sprintf("%s id %s json %s %v", c.Path, c.ID, c.JSON, c.Annotations)
		for _, d := range c.Dumps {
			line += fmt.Sprintf(" %s=%s", d.Name, d.Data)
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := a.Count(t.Context()); err != nil || n != len(out) {
		t.Errorf("%d are counted, %d there (%v)", n, len(out), err)
	}
	return out
}

func TestTheReferencesStorage(t *testing.T) {
	got := told(t, filled(t,
		"v1/raw_crash/20261122/a", `{"x":NaN}`,
		"v1/dump_names/a", `["upload_file_minidump","upload_file_minidump_browser"]`,
		"v1/dump/a", "main", "v1/upload_file_minidump_browser/a", "browser",
		"v1/raw_crash/20261121/b", `{}`, // of the day before: it comes first
		"v1/dump_names/b", `[]`,
		"v1/raw_crash/20261122/c", `{}`, "v1/dump_names/c", `["upload_file_minidump"]`, // its dump is not there
		"v1/raw_crash/20261122/d", `{}`, "v1/dump_names/d", `no list`,
		"v1/raw_crash/20261122/e", `{}`, // nor a list
		"v1/raw_crash/20261122/f", `{}`, "v1/dump_names/f", `["../../../../etc/passwd"]`,
		"v1/dump/z", "of a crash that nobody was promised",
	))
	want := []string{
		"v1/raw_crash/20261121/b id b json {} map[]",
		`v1/raw_crash/20261122/a id a json {"x":NaN} map[] upload_file_minidump=main upload_file_minidump_browser=browser`,
		"v1/raw_crash/20261122/c skipped: dump_missing",
		"v1/raw_crash/20261122/d skipped: dump_names",
		"v1/raw_crash/20261122/e id e json {} map[]",
		"v1/raw_crash/20261122/f skipped: dump_missing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// meta is Crashpad's metadata of a dump made then.
func meta(version uint32, created int64) string { return metaOf(version, created, 0) }

func metaOf(version uint32, created int64, attributes byte) string {
	b := make([]byte, 25)
	b[24] = attributes
	binary.LittleEndian.PutUint32(b, version)
	binary.LittleEndian.PutUint64(b[16:], uint64(created))
	return string(b) + "the report's id"
}

func TestFoldersOfDumps(t *testing.T) {
	files := filled(t,
		"a.dmp", "MDMP1", "a.extra", `{"ProductName":"Firefox"}`,
		"b.dmp", "MDMP2", "b.extra", "ProductName=Firefox\r\nComments=two\\nlines, a \\\\ and a =\n\n",
		"c.dmp", "MDMP3", "c.json", `{"prod":"Acme"}`,
		"pending/d.dmp", "MDMP4", "pending/d.meta", meta(1, 1795000000),
		"e.dmp", "no dump",
		"f.dmp", "MDMP5", "f.json", `[1]`,
		"g.dmp", "MDMP6", "g.extra", "no name and value",
		"h.dmp", "MDMP7", "h.meta", meta(2, 1795000000),
		"i.dmp", "MDMP8", "i.meta", meta(1, 0),
		"j.dmp", "MDMP9",
		"completed/l.dmp", "MDMP10", "completed/l.meta", metaOf(1, 1795000000, 1),
		"completed/m.dmp", "MDMP11", "completed/m.meta", metaOf(1, 1795000000, 2),
		"new/n.dmp", "MDMP12",
		"o.dmp", "MDMP13", "o.meta", metaOf(1, 1795000000, 0)[:24],
		"k.txt", "something else",
	)
	got := told(t, files)
	want := []string{
		`a.dmp id a json {"ProductName":"Firefox"} map[] upload_file_minidump=MDMP1`,
		"b.dmp id b json  map[Comments:two\nlines, a \\ and a = ProductName:Firefox] upload_file_minidump=MDMP2",
		`c.dmp id c json {"prod":"Acme"} map[] upload_file_minidump=MDMP3`,
		"completed/l.dmp skipped: sent",
		"completed/m.dmp id m json  map[] upload_file_minidump=MDMP11",
		"e.dmp skipped: not_minidump",
		"f.dmp skipped: annotations",
		"g.dmp skipped: annotations",
		"h.dmp skipped: annotations",
		"i.dmp skipped: annotations",
		"j.dmp id j json  map[] upload_file_minidump=MDMP9",
		"new/n.dmp skipped: unfinished",
		"o.dmp skipped: annotations",
		"pending/d.dmp id d json  map[] upload_file_minidump=MDMP4",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	a, err := Open(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	var when time.Time
	err = a.Each(t.Context(), func(path string) bool { return path == "pending/d.dmp" }, func(c *Crash, _ *SkipError) error { when = c.Received; return nil })
	if err != nil || !when.Equal(time.Unix(1795000000, 0)) {
		t.Errorf("received %v (%v)", when, err)
	}
}

func TestNothingToImport(t *testing.T) {
	if _, err := Open(t.Context(), filled(t, "a.txt", "x")); err == nil || !strings.Contains(err.Error(), "nothing to import") {
		t.Error(err)
	}
	if _, err := OpenFiles(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFiles(file); err == nil {
		t.Error("a file is no directory")
	}
}

func TestFilesAreBounded(t *testing.T) {
	f := filled(t, "a", "12345")
	if _, err := f.Read(t.Context(), "a", 5); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(t.Context(), "a", 4); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := f.Read(t.Context(), "../a", 5); err == nil {
		t.Error("read what lies outside")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.List(ctx, "", func(File) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A large file costs its crash.
func TestAFileThatIsTooLargeIsSkipped(t *testing.T) {
	f := filled(t, "a.dmp", "MDMP", "b.dmp", "MDMP")
	if err := os.Truncate(filepath.Join(string(f.(directory)), "a.dmp"), MaxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	if got := told(t, f); got[0] != "a.dmp skipped: too_large" || len(got) != 2 {
		t.Error(got)
	}
}

func TestABucketIsReadAsADirectoryIs(t *testing.T) {
	s := buckettest.Start(t)
	put := func(key, text string) {
		t.Helper()
		if _, err := s.Client.PutObject(t.Context(), buckettest.Bucket, key, strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("old/v1/raw_crash/20261122/a", `{"x":1}`)
	put("old/v1/dump_names/a", `["upload_file_minidump"]`)
	put("old/v1/dump/a", "main")
	put("old/v1/raw_crash/20261122/b", `{}`)
	put("old/v1/dump_names/b", `["upload_file_minidump"]`)
	put("older/v1/raw_crash/20261122/c", `{}`) // another archive
	files, err := OpenFiles("s3://" + buckettest.Bucket + "/old?endpoint=" + s.URL)
	if err != nil {
		t.Fatal(err)
	}
	got := told(t, files)
	want := []string{`v1/raw_crash/20261122/a id a json {"x":1} map[] upload_file_minidump=main`, "v1/raw_crash/20261122/b skipped: dump_missing"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if _, err := OpenFiles("s3://user:password@" + buckettest.Bucket); err == nil {
		t.Error("credentials in a URL")
	}
}
