package upload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
	"aftershock/symbolserver/upload"
)

// hooked is a store that does what a test wants besides.
type hooked struct {
	store.Store
	put    func(path string) error // before
	ctx    func(context.Context)   // of a put
	placed func(path string)       // after
	stat   func(path string)
	get    func(path string)
}

func (h *hooked) Put(ctx context.Context, o store.Object, r io.Reader) error {
	if h.ctx != nil {
		h.ctx(ctx)
	}
	if h.put != nil {
		if err := h.put(o.Path); err != nil {
			return err
		}
	}
	err := h.Store.Put(ctx, o, r)
	if h.placed != nil {
		h.placed(o.Path)
	}
	return err
}

func (h *hooked) Stat(ctx context.Context, path string) (store.Object, error) {
	if h.stat != nil {
		h.stat(path)
	}
	return h.Store.Stat(ctx, path)
}

func (h *hooked) Get(ctx context.Context, path string) (store.Object, store.Content, error) {
	if h.get != nil {
		h.get(path)
	}
	return h.Store.Get(ctx, path)
}

func (h *hooked) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	return h.Store.Open(ctx, path)
}

// Who sends a file slowly takes nobody's place.
func TestSlowClientsKeepNobodyWaiting(t *testing.T) {
	s := serve(t, t.TempDir(), func(o *upload.Options) { o.MaxKeeps = 1 })
	status, answer := s.list("/upload/v2/", s.token, listed(path("slow"), sym("slow", 1)))
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, answer)
	}
	at := answer["files"].([]any)[0].(map[string]any)["action"].(map[string]any)["url"].(string)
	body, more := io.Pipe()
	slow := make(chan error, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			if res.Body.Close(); res.StatusCode != http.StatusOK {
				err = errors.New(res.Status)
			}
		}
		slow <- err
	}()
	if _, err := io.WriteString(more, sym("slow", 1)[:70]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	contentType, form := form(t, "symbols", "symbols.zip", zipped(t, path("fast"), sym("fast", 1)))
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/upload/", form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Auth-Token", s.token)
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	s.holds(path("fast"), sym("fast", 1))
	if _, err := io.WriteString(more, sym("slow", 1)[70:]); err != nil {
		t.Fatal(err)
	}
	more.Close()
	if err := <-slow; err != nil {
		t.Error(err)
	}
	s.holds(path("slow"), sym("slow", 1))
}

// A file that is in the store is told of, and in the index, also when its uploader has left.
func TestUploadersThatLeave(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	var told []upload.Arrival
	var handler http.Handler
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.Store = &hooked{Store: o.Store, placed: func(string) { leave() }}
		o.Announce = func(ctx context.Context, arrived []upload.Arrival) error {
			told = append(told, arrived...)
			return ctx.Err()
		}
	})
	handler = s.Config.Handler
	contentType, body := form(t, "symbols", "symbols.zip", zipped(t, path("app"), sym("app", 1)))
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/upload/", body)
	r.Header.Set("Auth-Token", s.token)
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusCreated || len(told) != 1 {
		t.Errorf("%d %s, %d told", w.Code, w.Body, len(told))
	}
	if _, err := store.LookupCode(t.Context(), s.store, false, "app", "E532985A7228C141838ED98914E9B7FF"); err != nil {
		t.Error(err)
	}
}

// A file whose code id could not be written down is not lost to those who ask by it: it is
// when it is sent again.
func TestTheIndexIsWrittenWhenAFileIsSentAgain(t *testing.T) {
	failed := false
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.Store = &hooked{Store: o.Store, put: func(path string) error {
			if strings.HasPrefix(path, ".aftershock/code/") && !failed {
				failed = true
				return errors.New("the disk is full")
			}
			return nil
		}}
	})
	if status, answer := s.postZip("/upload/", s.token, path("app"), sym("app", 1)); status != http.StatusServiceUnavailable {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := s.postZip("/upload/", s.token, path("app"), sym("app", 1)); status != http.StatusCreated {
		t.Errorf("%d %v", status, answer)
	}
	if _, err := store.LookupCode(t.Context(), s.store, false, "app", "E532985A7228C141838ED98914E9B7FF"); err != nil {
		t.Error(err)
	}
	if got := s.told(); len(got) != 1 {
		t.Errorf("told of %q", got)
	}
}

// One token cannot let so many uploads wait that others have no place, and those that are
// over take none.
func TestUploadsLeaveRoomForOthers(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	for n := range 250 {
		if status, answer := s.list("/upload/v2/", s.try, listed(path("app"), sym("app", n))); status != http.StatusCreated {
			t.Fatalf("%d: %d %v", n, status, answer)
		}
	}
	if status, answer := s.list("/upload/v2/", s.try, listed(path("app"), sym("app", 1))); status != http.StatusServiceUnavailable || !strings.Contains(message(answer), "too many uploads wait") {
		t.Errorf("%d %v", status, answer)
	}
	for n := range 1100 { // nothing is waited for
		if status, answer := s.list("/upload/v2/", s.token); status != http.StatusCreated {
			t.Fatalf("%d: %d %v", n, status, answer)
		}
	}
	status, answer := s.list("/upload/v2/", s.token, listed(path("app"), sym("app", 1)))
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, answer)
	}
	if status := s.send(answer["files"].([]any)[0], gzipped(t, sym("app", 1))); status != http.StatusOK {
		t.Errorf("%d", status)
	}
}

// A token that was revoked is of no use for what was begun with it.
func TestRevokedTokensEndUploads(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	_, answer := s.list("/upload/v2/", s.token, listed(path("app"), sym("app", 1)))
	if err := s.tokens.Revoke("builds"); err != nil {
		t.Fatal(err)
	}
	if status := s.send(answer["files"].([]any)[0], gzipped(t, sym("app", 1))); status != http.StatusBadRequest {
		t.Errorf("%d", status)
	}
	s.holds(path("app"), "")
}

// What is written down of an upload may lie in a bucket that everybody reads.
func TestTokensAreNotWrittenDown(t *testing.T) {
	stores(t, func(t *testing.T, name string) {
		s := serve(t, name, nil)
		_, answer := s.do(http.MethodPost, "/v1/uploads:create?key="+s.token, "", nil, nil)
		body, err := s.store.Open(t.Context(), store.Incoming(fmt.Sprint(answer["uploadKey"]), -1))
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		text, err := io.ReadAll(body)
		if err != nil || strings.Contains(string(text), s.token) || strings.Contains(string(text), sum(s.token)) {
			t.Errorf("%s %v", text, err)
		}
	})
}

// An address of Breakpad's protocol takes nothing any more when its file is kept.
func TestAddressesEnd(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	_, answer := s.do(http.MethodPost, "/v1/uploads:create?key="+s.token, "", nil, nil)
	at := fmt.Sprint(answer["uploadUrl"])
	if status, _ := s.do(http.MethodPut, at, "", nil, strings.NewReader(sym("app", 1))); status != http.StatusOK {
		t.Fatal(status)
	}
	if status, answer := s.do(http.MethodPost, at+":complete?key="+s.token, "", nil, strings.NewReader(`{"symbol_id":{"debug_file":"app","debug_id":"`+id+`"}}`)); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	if status, _ := s.do(http.MethodPut, at, "", nil, strings.NewReader("more")); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}

// Files that other hands put there are read only where their digest is asked for: a list could
// have a thousand large ones read.
func TestFilesOfOtherHandsAreNotReadForNothing(t *testing.T) {
	read := 0
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.Store = &hooked{Store: o.Store, get: func(string) { read++ }}
	})
	if err := s.store.Put(t.Context(), store.Object{Path: path("app")}, strings.NewReader(sym("app", 1))); err != nil {
		t.Fatal(err)
	}
	f := listed(path("app"), sym("app", 1))
	delete(f, "sha256")
	if status, answer := s.list("/upload/v2/", s.token, f); status != http.StatusCreated {
		t.Errorf("%d %v", status, answer)
	}
	if _, answer := s.do(http.MethodGet, "/v1/symbols/app/"+id+":checkStatus", s.token, nil, nil); answer["status"] != "FOUND" {
		t.Errorf("%v", answer)
	}
	if read != 0 {
		t.Errorf("read %d times", read)
	}
}

// A fault of ours in a file's keeping ends neither the process nor the upload of others.
func TestAPanicIsOneFilesFault(t *testing.T) {
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.Store = &hooked{Store: o.Store, stat: func(at string) {
			if at == path("bad") {
				panic("a fault")
			}
		}}
	})
	status, answer := s.postZip("/upload/", s.token, path("bad"), sym("bad", 1), path("good"), sym("good", 1))
	if status != http.StatusServiceUnavailable || !strings.Contains(message(answer), "bad.sym could not be kept now") {
		t.Errorf("%d %v", status, answer)
	}
	s.holds(path("good"), sym("good", 1))
	if status, answer := s.postZip("/upload/", s.token, path("good"), sym("good", 1)); status != http.StatusCreated {
		t.Errorf("%d %v", status, answer)
	}
}

// What becomes of an upload is told however long it took to find out.
func TestAnswersComeLate(t *testing.T) {
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.Announce = func(context.Context, []upload.Arrival) error { time.Sleep(300 * time.Millisecond); return nil }
	})
	late := httptest.NewUnstartedServer(s.Config.Handler)
	late.Config.WriteTimeout = 50 * time.Millisecond // the servers' is minutes
	late.Start()
	defer late.Close()
	contentType, body := form(t, "symbols", "symbols.zip", zipped(t, path("app"), sym("app", 1)))
	status, answer := s.do(http.MethodPost, late.URL+"/upload/", s.token, map[string]string{"Content-Type": contentType}, body)
	if status != http.StatusCreated {
		t.Errorf("%d %v", status, answer)
	}
}

// deadlines notes the last one that was set.
type deadlines struct {
	*httptest.ResponseRecorder
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = t; return nil }

// A body that has come has no deadline any more: the server would take it for a client that
// has left, and end the work on what came.
func TestDeadlinesEndWithTheBody(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	contentType, body := form(t, "symbols", "symbols.zip", zipped(t, path("app"), sym("app", 1)))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload/", iotest.DataErrReader(body)) // as a connection has it
	r.Header.Set("Auth-Token", s.token)
	r.Header.Set("Content-Type", contentType)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	s.Config.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusCreated || !w.read.IsZero() {
		t.Errorf("%d, a deadline in %s", w.Code, time.Until(w.read))
	}
}

// Nobody is told of a tried build's file where there is a regular one: it is found first.
func TestTriedBuildsDoNotStirWhatIsRegular(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	s.postZip("/upload/", s.token, path("app"), sym("app", 1))
	for n := range 3 {
		if status, answer := s.postZip("/upload/?replace", s.try, path("app"), sym("app", 2+n), path("new"), sym("new", 1+n)); status != http.StatusCreated {
			t.Errorf("%d %v", status, answer)
		}
	}
	var got []string
	for _, line := range s.told() {
		got = append(got, strings.Fields(line)[0])
	}
	if want := []string{path("app"), "try/" + path("new"), "try/" + path("new"), "try/" + path("new")}; !slices.Equal(got, want) {
		t.Errorf("told of %q", got)
	}
}

// What came aside while no server looked is kept, also when its time is over.
func TestWhatCameInTimeIsKept(t *testing.T) {
	name := buckettest.Start(t).Name(buckettest.Bucket)
	s := serve(t, name, nil)
	_, answer := s.list("/upload/v2/", s.token, listed(path("app"), sym("app", 9)), listed(path("lib"), sym("lib", 9)))
	f := answer["files"].([]any)[0]
	s.Close()
	s.send(f, gzipped(t, sym("app", 9)))
	next := serve(t, name, func(o *upload.Options) {
		o.Tokens, o.Now = s.tokens, func() time.Time { return time.Now().Add(2 * time.Hour) }
	})
	eventually(t, func() bool { return len(next.told()) == 1 })
	next.holds(path("app"), sym("app", 9))
}

// A store that hangs is given up.
func TestAStoreThatHangs(t *testing.T) {
	endless := 0
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.Store = &hooked{Store: o.Store, ctx: func(ctx context.Context) {
			if _, ends := ctx.Deadline(); !ends {
				endless++
			}
		}}
	})
	if status, answer := s.postZip("/upload/", s.token, path("app"), sym("app", 1)); status != http.StatusCreated || endless > 0 {
		t.Errorf("%d %v, %d without an end", status, answer, endless)
	}
}

// Of two who make tokens at a time none is forgotten.
func TestTokensOfManyHands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	var all sync.WaitGroup
	for hand := range 4 {
		all.Go(func() {
			tokens, err := upload.OpenTokens(file, time.Now)
			for n := range 20 {
				if err == nil {
					_, err = tokens.Add(fmt.Sprint(hand, " ", n), []string{upload.CanTry}, time.Time{})
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	tokens, err := upload.OpenTokens(file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := tokens.List(); err != nil || len(list) != 80 {
		t.Errorf("%d tokens, %v", len(list), err)
	}
}

// Two files of one name in a zip are one only if they are the same: which one counts is nobody's guess.
func TestFilesTwiceInAZip(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	one, other := sym("app", 1), strings.ReplaceAll(sym("app", 1), "f0", "g0")
	if status, answer := s.postZip("/upload/", s.token, path("app"), one, path("app"), other); status != http.StatusBadRequest || !strings.Contains(message(answer), "two files both called") {
		t.Errorf("%d %v", status, answer)
	}
	s.holds(path("app"), "")
	if status, answer := s.postZip("/upload/", s.token, path("app"), one, path("app"), one); status != http.StatusCreated {
		t.Errorf("%d %v", status, answer)
	}
}

// What is said of a zip of which nothing is kept says so, and why once.
func TestRefusalsSayWhatIs(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	z := zipped(t, path("app"), sym("app", 40))
	z[60+len(path("app"))] ^= 0xff // its bytes
	contentType, body := form(t, "symbols", "symbols.zip", z)
	status, answer := s.do(http.MethodPost, "/upload/", s.token, map[string]string{"Content-Type": contentType}, body)
	if said := message(answer); status != http.StatusBadRequest || strings.Contains(said, "the others") || strings.Count(said, "cannot be unpacked") != 1 {
		t.Errorf("%d %s", status, said)
	}
}
