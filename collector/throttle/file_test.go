package throttle

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAFileIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil { // as a mounted configuration changes
			t.Fatal(err)
		}
	}
	write("rules: [{name: first, result: accept}]")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	rule := func() string { return f.Rules().Decide(of()).Rule }
	ctx, cancel := context.WithCancel(t.Context())
	told, now, ended := make(chan error), make(chan os.Signal, 1), make(chan struct{})
	go func() {
		defer close(ended)
		f.Watch(ctx, time.Millisecond, now, func(err error) { told <- err })
	}()
	write("rules: [{name: second, result: accept}]")
	if err := <-told; err != nil || rule() != "second" {
		t.Errorf("%v, %s decides", err, rule())
	}
	write("rules: [{name: third, result: never}]")
	if err := <-told; err == nil || !strings.Contains(err.Error(), path) || rule() != "second" {
		t.Errorf("%v, %s decides", err, rule())
	}
	write("rules: [{name: fourth, result: accept}]")
	if err := <-told; err != nil || rule() != "fourth" {
		t.Errorf("%v, %s decides", err, rule())
	}
	now <- os.Interrupt // whatever the signal: nothing has changed, and it is read all the same
	if err := <-told; err != nil || rule() != "fourth" {
		t.Errorf("%v, %s decides", err, rule())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now <- os.Interrupt
	if err := <-told; err == nil || rule() != "fourth" {
		t.Errorf("%v, %s decides", err, rule())
	}
	cancel()
	<-ended
}

func TestAFileThatIsNoneIsAnError(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error")
	}
}
