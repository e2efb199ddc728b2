package collector

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aftershock/schema"
)

// Each refusal has its status, and text that clients know.
func TestWhatARefusedClientIsTold(t *testing.T) {
	for reason, want := range map[string]struct {
		status int
		text   string
	}{
		schema.RejectTooLarge: {413, "Discarded=malformed_too_large"}, schema.RejectTooSlow: {408, "Discarded=malformed_too_slow"},
		schema.RejectIDToken: {401, "Discarded=unauthorized_uuid"}, schema.RejectJSON: {400, "Discarded=malformed_invalid_json"},
	} {
		if status, text := (&refusal{reason: reason}).answer(); status != want.status || text != want.text {
			t.Errorf("%s: %d %q, want %d %q", reason, status, text, want.status, want.text)
		}
	}
}

// An answer says how long it is, when to come again, and that a connection with unread bytes ends.
func TestTheHeadOfAnAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		answer answer
		want   http.Header
	}{
		"taken":     {answer{status: 200, text: "CrashID=bp-1\n"}, http.Header{"Content-Length": {"13"}}},
		"again":     {answer{status: 503, again: true}, http.Header{"Content-Length": {"0"}, "Retry-After": {"10"}}},
		"unread":    {answer{status: 413, text: "x", unread: true}, http.Header{"Content-Length": {"1"}, "Connection": {"close"}}},
		"all of it": {answer{status: 503, again: true, unread: true}, http.Header{"Content-Length": {"0"}, "Retry-After": {"10"}, "Connection": {"close"}}},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/submit", strings.NewReader("body"))
		if err := tc.answer.send(w, r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tc.want.Set("Content-Type", "text/plain; charset=utf-8")
		if w.Code != tc.answer.status || w.Body.String() != tc.answer.text {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		for _, field := range []string{"Content-Type", "Content-Length", "Retry-After", "Connection"} {
			if got := w.Header().Get(field); got != tc.want.Get(field) {
				t.Errorf("%s: %s is %q, want %q", name, field, got, tc.want.Get(field))
			}
		}
	}
}

// What Sentry's clients call a release is told apart, cut at its limit, and takes no place from
// what was sent.
func TestSentrysNames(t *testing.T) {
	long := strings.Repeat("x", maxSentryName+1)
	for name, tc := range map[string]struct {
		sent map[string]string
		most int
		want map[string]string // beside what was sent
	}{
		"a release":           {map[string]string{"sentry[release]": "a@1+2"}, 9, map[string]string{"ProductName": "a", "Version": "1", "BuildID": "2"}},
		"no product":          {map[string]string{"sentry[release]": "1+2"}, 9, map[string]string{"Version": "1", "BuildID": "2"}},
		"no version":          {map[string]string{"sentry[release]": "a@"}, 9, map[string]string{"ProductName": "a"}},
		"its part counts":     {map[string]string{"sentry[release]": "a@1", "sentry": `{"release":"b@2"}`}, 9, map[string]string{"ProductName": "b", "Version": "2"}},
		"long names":          {map[string]string{"sentry[environment]": long}, 9, map[string]string{"ReleaseChannel": long[:250]}},
		"a part at the limit": {map[string]string{"sentry": padded(`{"release":"1"}`, 1<<20)}, 9, map[string]string{"Version": "1"}},
		"a part too large":    {map[string]string{"sentry": padded(`{"release":"1"}`, 1<<20+1)}, 9, nil},
		"no room":             {map[string]string{"sentry[release]": "1", "other": ""}, 2, nil},
		"room for one":        {map[string]string{"sentry[release]": "1"}, 2, map[string]string{"Version": "1"}},
		"it is there":         {map[string]string{"sentry[release]": "a@1", "Version": ""}, 9, map[string]string{"ProductName": "a"}},
	} {
		r := newReport(schema.KindReport, Limits{Annotations: tc.most})
		for k, v := range tc.sent {
			r.annotations[k] = v
		}
		r.fromSentry()
		for k, v := range tc.sent {
			if r.annotations[k] != v {
				t.Errorf("%s: %s has changed", name, k)
			}
			delete(r.annotations, k)
		}
		if len(r.annotations) != len(tc.want) {
			t.Errorf("%s: %v", name, r.annotations)
		}
		for k, v := range tc.want {
			if r.annotations[k] != v {
				t.Errorf("%s: %s is %.300q, want %.300q", name, k, r.annotations[k], v)
			}
		}
	}
}

func padded(text string, size int) string { return text + strings.Repeat(" ", size-len(text)) }

// The door says once that it is full, and once that it is not any more.
func TestTheDoorSaysWhenItIsFull(t *testing.T) {
	var said []error
	r := newRoom(Limits{}.withDefaults(), "", func(err error) { said = append(said, err) })
	for _, full := range []bool{false, true, true, false, false, true} {
		r.say(full)
	}
	if len(said) != 3 || !errors.Is(said[0], errFull) || said[1] != nil || !errors.Is(said[2], errFull) {
		t.Errorf("%v", said)
	}
}
