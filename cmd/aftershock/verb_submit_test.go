package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSubmitReadsWhatLiesBesideADump(t *testing.T) {
	var sent []string
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
		}
		sent = append(sent, fmt.Sprint(r.MultipartForm.Value))
		fmt.Fprint(w, "CrashID=bp-x\n") //nolint:errcheck // a test says what it lacks
	}))
	defer door.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b, c := write("a.dmp", "MDMP"), write("b.dmp", "MDMP"), write("c.dump", "MDMP")
	write("a.extra", `{"ProductName":"Firefox"}`)
	write("b.extra", "ProductName=Old\nVersion=1.0\n")
	write("c.extra", "not=read\n")
	var out, errs bytes.Buffer
	if code := Main([]string{"submit", "--url", door.URL, "--annotation", "Version=2.0", a, b, c}, &out, &errs); code != 0 {
		t.Fatal(errs.String())
	}
	want := []string{`map[Version:[2.0] extra:[{"ProductName":"Firefox"}]]`, "map[ProductName:[Old] Version:[2.0]]", "map[Version:[2.0]]"}
	if strings.Join(sent, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent\n%s", strings.Join(sent, "\n"))
	}
	write("b.json", "[]")
	if code := Main([]string{"submit", "--url", door.URL, b}, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), "b.json") {
		t.Errorf("code %d, %s", code, errs.String())
	}
}

func TestSubmitTellsWhichRuleDiscardedAReport(t *testing.T) {
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Discarded=rule_old") //nolint:errcheck // as above
	}))
	defer door.Close()
	dump := filepath.Join(t.TempDir(), "a.dmp")
	if err := os.WriteFile(dump, []byte("MDMP"), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if code := Main([]string{"submit", "--url", door.URL, dump}, &bytes.Buffer{}, &errs); code != exitFailed || !strings.Contains(errs.String(), "Discarded=rule_old") {
		t.Errorf("code %d, %s", code, errs.String())
	}
}
