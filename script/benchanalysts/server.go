package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"aftershock/internal/embedded"
)

// engineMemory is what the server may use; a question has far less.
const engineMemory int64 = 6 << 30

// serve starts the server. end stops it.
func (b *bench) serve(ctx context.Context) (end func() error, err error) {
	if b.library, err = embedded.FindLibrary(b.library); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, err
	}
	server := exec.Command(b.program, "embedded", "clickhouse", "--dir", b.dir, "--listen", b.listen, "--library", b.library, "--max-memory", fmt.Sprint(engineMemory), "--log-level", "warn") //nolint:gosec,noctx // it is ended below
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return nil, err
	}
	end = func() error {
		err := server.Process.Signal(syscall.SIGTERM)
		return errors.Join(err, server.Wait())
	}
	for range 300 {
		token, err := os.ReadFile(filepath.Join(b.dir, "token"))
		b.token = strings.TrimSpace(string(token))
		if err == nil {
			if _, err = b.ask(ctx, "SELECT 1", nil); err == nil {
				return end, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), end())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, errors.Join(errors.New("the server does not answer"), end())
}

// answer is a statement's.
type answer struct {
	Data       [][]any `json:"data"`
	Statistics struct {
		Rows  uint64 `json:"rows_read"`
		Bytes uint64 `json:"bytes_read"`
	} `json:"statistics"`
	took time.Duration // until the last byte was here
}

// ask runs a statement, with settings and parameters as ClickHouse's URL has them.
func (b *bench) ask(ctx context.Context, statement string, more url.Values) (*answer, error) {
	values := url.Values{"user": {"aftershock"}, "password": {b.token}, "default_format": {"JSONCompact"}, "session_timezone": {"UTC"}}
	for name, v := range more {
		values[name] = v
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.listen+"/?"+values.Encode(), strings.NewReader(statement))
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to the end
	body, err := io.ReadAll(response.Body)
	a := &answer{took: time.Since(begin)}
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%.300s\n%s", statement, strings.TrimSpace(string(body)))
	case len(body) == 0:
		return a, nil
	}
	return a, json.Unmarshal(body, a)
}

// number is the one value of an answer.
func (b *bench) number(ctx context.Context, statement string) (n uint64, err error) {
	a, err := b.ask(ctx, statement, nil)
	if err != nil {
		return 0, err
	}
	if len(a.Data) != 1 || len(a.Data[0]) != 1 {
		return 0, fmt.Errorf("%s: not one value", statement)
	}
	_, err = fmt.Sscan(fmt.Sprint(a.Data[0][0]), &n)
	return n, err
}

// say tells how far the run is.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
