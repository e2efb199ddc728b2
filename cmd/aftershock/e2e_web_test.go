package main

import (
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
		if status, body := jane.get(tc.at); status != http.StatusOK || !strings.Contains(body, tc.shows) {
			t.Errorf("jane, %s: %d %.500s", tc.at, status, body)
		}
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
