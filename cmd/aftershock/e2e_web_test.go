package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aftershock/access"
	"aftershock/internal/freeport"
)

// A crash on its way to who may see what of it is protected: users of a file log in to up's
// pages, and what they see is kept before they see it.
func TestViewersSeeWhatTheirRolesSay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.json")
	users, err := access.OpenUsers(file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const password = "correct horse battery"
	if err := errors.Join(users.Add("jane", password, access.Roles), users.Add("joe", password, nil)); err != nil {
		t.Fatal(err)
	}
	u := startUp(t, "--web-users", file)
	dump := tinyDump()
	sendTraced(t, u, dump, map[string]string{"ProductName": "Orchard", "Version": "1", "URL": "canary-url", "Comments": "canary-comment"}, "4bf92f3577b34da6a3ce929d0e0e4736")
	id := u.rows(1)[0]
	jane, joe, public := u.reads("jane", password), u.reads("joe", password), &reader{u, testClient}
	crash := "/crash/" + id
	for _, tc := range []struct {
		at, shows string
	}{{crash + "/protected", "canary-url"}, {crash + "/dump", string(dump)}, {"/questions/comments?signature=" + url.QueryEscape(u.signature(id)), "canary-comment"}, {"/audit", "joe"}} {
		// A question's time ends with the second that is now.
		eventually(t, 10*time.Second, func() error {
			if status, body := jane.get(tc.at); status != http.StatusOK || !strings.Contains(body, tc.shows) {
				return fmt.Errorf("jane, %s: %d %.500s", tc.at, status, body)
			}
			return nil
		})
		for name, other := range map[string]*reader{"joe": joe, "the public": public} {
			if status, body := other.get(tc.at); status == http.StatusOK || strings.Contains(body, tc.shows) && tc.shows != "joe" {
				t.Errorf("%s, %s: %d %.500s", name, tc.at, status, body)
			}
		}
	}
	for _, at := range []string{"/", crash, crash + ".json", crash + ".md"} {
		if status, body := jane.get(at); status != http.StatusOK || strings.Contains(body, "canary") {
			t.Errorf("%s: %d shows what is protected: %.500s", at, status, body)
		}
	}
	_, audit := jane.get("/audit")
	for _, kept := range []string{"<td>login</td>", "<td>protected</td>", "<td>dump</td>", "<td>question</td>", "<td>denied</td>", "<td>audit</td>", id} {
		if !strings.Contains(audit, kept) {
			t.Errorf("no %s in the audit", kept)
		}
	}
	if strings.Contains(audit, "canary") || strings.Contains(u.log.String(), "canary") || strings.Contains(u.log.String(), password) {
		t.Error("what is protected is in the audit, or in the log")
	}
	// A server of pages beside it, which shares users, key and tokens, knows its sessions.
	beside := freeport.Address(t)
	cmd := program(t.Context(), "--log-json", "web", "--web-listen", beside, "--metrics-listen", freeport.Address(t), "--clickhouse-url", "http://"+u.analysts,
		"--protected-url", "http://"+u.clickhouse, "--brokers", u.kafka, "--blob", filepath.Join(u.dir, "blobs"), "--web-users", file,
		"--web-key", filepath.Join(u.dir, "web-key"), "--web-tokens", filepath.Join(u.dir, "web-tokens.json"))
	var log syncBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%v\n%s", err, log.String())
		}
	})
	eventually(t, time.Minute, func() error { _, err := httpGet("http://" + beside + "/login"); return err })
	u.pages = beside
	for at, shows := range map[string]string{crash + "/protected": "canary-comment", crash + "/dump": string(dump), "/audit": id} {
		if status, body := jane.get(at); status != http.StatusOK || !strings.Contains(body, shows) {
			t.Errorf("jane, beside, %s: %d %.500s", at, status, body)
		}
		if status, body := joe.get(at); status != http.StatusForbidden || strings.Contains(body, shows) {
			t.Errorf("joe, beside, %s: %d %.500s", at, status, body)
		}
	}
	if err := users.SetRoles("jane", []access.Role{access.Protected}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() error {
		if status, _ := jane.get(crash + "/dump"); status != http.StatusForbidden {
			return fmt.Errorf("jane gets the dump: %d", status)
		}
		return nil
	})
	// Nobody sees anything while the broker is away.
	pid, err := u.childPID("broker")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	status, body := jane.get(crash + "/protected")
	if status != http.StatusServiceUnavailable || strings.Contains(body, "canary") {
		t.Errorf("%d %.500s", status, body)
	}
}

// signature is that of a crash.
func (u *upProcess) signature(id string) string {
	u.t.Helper()
	text, err := u.query(fmt.Sprintf("SELECT signature FROM aftershock.crash_by_id WHERE crash_id = '%s'", id))
	if err != nil {
		u.t.Fatal(err)
	}
	return strings.TrimRight(text, "\n")
}
