package main

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aftershock/access"
)

// reader is somebody with a browser.
type reader struct {
	u      *upProcess
	client *http.Client
}

// reads logs somebody in to up's pages.
func (u *upProcess) reads(name, password string) *reader {
	u.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		u.t.Fatal(err)
	}
	r := &reader{u, &http.Client{Jar: jar, Timeout: time.Minute}}
	if status, page := r.post("/login", url.Values{"name": {name}, "password": {password}, "next": {"/me"}}); status != http.StatusOK || !strings.Contains(page, "<h1>"+name) {
		u.t.Fatalf("%d %s", status, page)
	}
	return r
}

func (r *reader) get(at string) (int, string) {
	r.u.t.Helper()
	res, err := r.client.Get("http://" + r.u.pages + at)
	return r.answer(res, err)
}

func (r *reader) post(at string, form url.Values) (int, string) {
	r.u.t.Helper()
	req, err := http.NewRequestWithContext(r.u.t.Context(), http.MethodPost, "http://"+r.u.pages+at, strings.NewReader(form.Encode()))
	if err != nil {
		r.u.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "http://"+r.u.pages) // as browsers do
	res, err := r.client.Do(req)
	return r.answer(res, err)
}

func (r *reader) answer(res *http.Response, err error) (int, string) {
	r.u.t.Helper()
	if err != nil {
		r.u.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.u.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// From a frame to what everybody sees, and back, in the pages alone: a line is tried, a version
// with it is started, promoted and rolled back, and what signatures were called is told.
func TestARuleGoesFromAPageToAllPages(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users.json")
	users, err := access.OpenUsers(file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const password = "correct horse battery"
	if err := errors.Join(users.Add("jane", password, access.Roles), users.Add("joe", password, []access.Role{access.Rules})); err != nil {
		t.Fatal(err)
	}
	u := startUp(t, "--web-users", file, "--symbols", sampleSymbols, "--api-rate", "0") // it looks ten times a second
	ids := u.submit(append([]string{"--annotation", "ProductName=orchard"}, samples(t)...)...)
	u.rows(len(ids))
	jane, joe := u.reads("jane", password), u.reads("joe", password)
	const before, after = "orchard::close_gate", "orchard::close_gate | orchard::trap"
	text, err := u.query("SELECT crash_id FROM crashes WHERE signature = '" + before + "' LIMIT 1")
	id := strings.TrimSpace(text)
	if err != nil || id == "" {
		t.Fatalf("no crash of %s, %v", before, err)
	}
	crash := func(want ...string) {
		t.Helper()
		eventually(t, time.Minute, func() error {
			_, page := jane.get("/crash/" + id)
			for _, w := range want {
				if !strings.Contains(page, html.EscapeString(w)) {
					return fmt.Errorf("no %q on the crash's page", w)
				}
			}
			return nil
		})
	}
	crash(before, "taken, the last", "/rules/try?file=prefix_signature_re.txt&line=orchard%3A%3Aclose_gate")

	// A line more, as the link beside the frame brings it.
	_, editor := jane.get("/rules/try?file=prefix_signature_re.txt&line=orchard%3A%3Aclose_gate")
	_, rest, _ := strings.Cut(editor, `<textarea name="file:prefix_signature_re.txt"`)
	_, rest, _ = strings.Cut(rest, ">\n")
	list, _, _ := strings.Cut(rest, "</textarea>")
	form := url.Values{"version": {"1"}, "file:prefix_signature_re.txt": {html.UnescapeString(list)}, "do": {"try"}}
	if status, page := jane.post("/rules/try", form); status != http.StatusOK || !strings.Contains(page, html.EscapeString(after)) || !strings.Contains(page, "Start as a version") {
		t.Fatalf("%d %s", status, page)
	}
	form.Set("do", "start")
	if status, _ := joe.post("/rules/try", form); status != http.StatusForbidden {
		t.Errorf("who may only try starts a version: %d", status)
	}
	status, page := jane.post("/rules/try", form)
	if status != http.StatusOK || !strings.Contains(page, "<h1>Version 2</h1>") {
		t.Fatalf("%d %s", status, page)
	}
	eventually(t, time.Minute, func() error {
		_, page := jane.get("/replay/2")
		if !strings.Contains(page, "100 % done") || !strings.Contains(page, html.EscapeString(after)) {
			return errors.New("version 2 is not made")
		}
		return nil
	})
	epoch := func() string {
		_, page := jane.get("/replay")
		_, rest, _ := strings.Cut(page, "Epoch ")
		n, _, _ := strings.Cut(rest, ".")
		return n
	}
	if status, _ := joe.post("/replay/2/promote", url.Values{"epoch": {epoch()}}); status != http.StatusForbidden {
		t.Errorf("who may only try promotes: %d", status)
	}
	flip := func(at, done string) {
		t.Helper()
		status, page := jane.post(at, url.Values{"epoch": {epoch()}})
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, page)
		}
		eventually(t, 2*time.Minute, func() error {
			_, page := jane.get(strings.TrimSuffix(strings.TrimSuffix(at, "/promote"), "/rollback"))
			if strings.Contains(page, "has failed") {
				t.Fatalf("%s", page)
			}
			if !strings.Contains(page, done) {
				return fmt.Errorf("no %q", done)
			}
			return nil
		})
	}
	flip("/replay/2/promote", "The promotion of jane is done")
	crash(after, "Decision of version 2", "prefix_signature_re.txt:")
	eventually(t, time.Minute, func() error { // lineage is kept after a promotion
		_, old := jane.get("/signature?signature=" + url.QueryEscape(before))
		_, now := jane.get("/signature?signature=" + url.QueryEscape(after))
		if !strings.Contains(old, "What had this name is now") || !strings.Contains(old, ">"+html.EscapeString(after)+" (") || !strings.Contains(now, "Was "+before+" until version 2") {
			return errors.New("the pages do not say what the signature was called")
		}
		return nil
	})
	if _, page := jane.get("/signature?tab=history&signature=" + url.QueryEscape(after)); !strings.Contains(page, "<td>1 → 2</td>") {
		t.Errorf("no step on the page of its history: %s", page)
	}
	flip("/replay/2/rollback", "The rollback of jane is done")
	crash(before, "Decision of version 1")
}
