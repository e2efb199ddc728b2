package symbolserver_test

import (
	"net/http"
	"strings"
	"testing"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

// Every encoding of the store reaches every client.
func TestEncodings(t *testing.T) {
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s})
	for _, stored := range []string{store.Identity, store.Gzip, store.Zstd} {
		content := packed(t, stored, symText)
		put(t, s, store.Object{Path: symPath, Encoding: stored, SHA256: sum(symText)}, content)
		for accept, wants := range map[string]map[string]string{
			"":                              {store.Identity: "", store.Gzip: "", store.Zstd: ""},
			"identity":                      {store.Identity: "", store.Gzip: "", store.Zstd: ""},
			"gzip":                          {store.Identity: "", store.Gzip: "gzip", store.Zstd: "gzip"},
			"zstd":                          {store.Identity: "", store.Gzip: "zstd", store.Zstd: "zstd"},
			"br, GZIP;q=0.5 , zstd;q=0.1":   {store.Identity: "", store.Gzip: "gzip", store.Zstd: "zstd"},
			"gzip;q=0, zstd;q=0.0":          {store.Identity: "", store.Gzip: "", store.Zstd: ""},
			"*":                             {store.Identity: "", store.Gzip: "gzip", store.Zstd: "zstd"},
			"*;q=0, x-gzip":                 {store.Identity: "", store.Gzip: "gzip", store.Zstd: "gzip"},
			"gzip;q=0, *":                   {store.Identity: "", store.Gzip: "zstd", store.Zstd: "zstd"},
			"gzip;q=x":                      {store.Identity: "", store.Gzip: "", store.Zstd: ""},
			"deflate, br":                   {store.Identity: "", store.Gzip: "", store.Zstd: ""},
			strings.Repeat("x,", 1000) + "": {store.Identity: "", store.Gzip: "", store.Zstd: ""},
		} {
			want := wants[stored]
			a := ask(t, server, http.MethodGet, "/"+symPath, "Accept-Encoding", accept)
			if a.err != nil || a.status != http.StatusOK || a.header.Get("Content-Encoding") != want || a.unpacked(t) != symText {
				t.Errorf("stored %q, accepts %.30q: %d %q, %v", stored, accept, a.status, a.header.Get("Content-Encoding"), a.err)
			}
			if want == stored && a.body != string(content) {
				t.Errorf("stored %q, accepts %.30q: packed again", stored, accept)
			}
			if a.header.Get("Vary") != "Accept-Encoding" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("stored %q, accepts %.30q: %v", stored, accept, a.header)
			}
			head := ask(t, server, http.MethodHead, "/"+symPath, "Accept-Encoding", accept)
			for _, name := range []string{"Content-Encoding", "Content-Length", "ETag", "Vary", "Content-Type", "Accept-Ranges"} {
				if a.header.Get(name) != head.header.Get(name) && (name != "Content-Length" || want == stored) {
					t.Errorf("stored %q, accepts %.30q: %s is %q, for HEAD %q", stored, accept, name, a.header.Get(name), head.header.Get(name))
				}
			}
		}
	}
}

// Other hands may store what is packed without saying so.
func TestPackedFilesByOtherHands(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, store.Object{Path: symPath}, packed(t, store.Gzip, symText))
	exe := "a.exe/651C9AF99241000/a.exe"
	put(t, s, store.Object{Path: exe}, packed(t, store.Gzip, "it is so"))
	server := start(t, symbolserver.Options{Store: s})
	a := ask(t, server, http.MethodGet, "/"+symPath)
	a.check(t, "a symbol file", http.StatusOK, symText)
	a = ask(t, server, http.MethodGet, "/"+exe)
	a.check(t, "a module's own file", http.StatusOK, string(packed(t, store.Gzip, "it is so")))
}

func TestTagsAndRanges(t *testing.T) {
	for name, s := range map[string]store.Store{
		"directory": openStore(t, t.TempDir()), "S3": openStore(t, buckettest.Start(t).Name(buckettest.Bucket)),
	} {
		put(t, s, store.Object{Path: symPath, SHA256: sum(symText)}, []byte(symText))
		gz := "gz.pdb/" + debugID + "/gz.sym"
		put(t, s, store.Object{Path: gz, Encoding: store.Gzip, SHA256: sum(symText)}, packed(t, store.Gzip, symText))
		foreign := "foreign.pdb/" + debugID + "/foreign.sym"
		put(t, s, store.Object{Path: foreign}, []byte(symText))
		server := start(t, symbolserver.Options{Store: s})
		get := func(path string, headers ...string) answer {
			return ask(t, server, http.MethodGet, "/"+path, headers...)
		}
		tag := `"` + sum(symText) + `"`
		first, weak := get(symPath), get(gz, "Accept-Encoding", "gzip")
		if first.header.Get("ETag") != tag || weak.header.Get("ETag") != "W/"+tag || first.header.Get("Last-Modified") == "" {
			t.Errorf("%s: %v, %v", name, first.header, weak.header)
		}
		unknown := get(foreign).header.Get("ETag")
		if !strings.HasPrefix(unknown, `W/"`) || strings.Contains(unknown, sum(symText)) {
			t.Errorf("%s: of what nothing is known: %s", name, unknown)
		}
		for _, path := range []string{symPath, gz, foreign} {
			for _, accept := range []string{"", "gzip"} {
				own := get(path, "Accept-Encoding", accept).header.Get("ETag")
				for _, sent := range []string{own, "W/" + strings.TrimPrefix(own, "W/"), `"x", ` + own, "*"} {
					a := get(path, "If-None-Match", sent, "Accept-Encoding", accept)
					if a.status != http.StatusNotModified || a.body != "" || a.header.Get("ETag") != own {
						t.Errorf("%s: %s for %s: %d %v", name, path, sent, a.status, a.header)
					}
				}
				if a := get(path, "If-None-Match", `"x"`, "Accept-Encoding", accept); a.status != http.StatusOK {
					t.Errorf("%s: %s for another tag: %d", name, path, a.status)
				}
			}
		}
		a := get(symPath, "Range", "bytes=7-13")
		if a.status != http.StatusPartialContent || a.body != symText[7:14] {
			t.Errorf("%s: %d %q", name, a.status, a.body)
		}
		a = get(symPath, "Range", "bytes=-5", "If-Range", tag)
		if a.status != http.StatusPartialContent || a.body != symText[len(symText)-5:] {
			t.Errorf("%s: %d %q", name, a.status, a.body)
		}
		if a = get(symPath, "Range", "bytes=-5", "If-Range", `"other"`); a.status != http.StatusOK || a.body != symText {
			t.Errorf("%s: of another: %d %q", name, a.status, a.body)
		}
		if a = get(symPath, "Range", "bytes=100000-"); a.status != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("%s: beyond the end: %d", name, a.status)
		}
		if a = get(gz, "Range", "bytes=7-13"); a.status != http.StatusOK || a.body != symText || a.header.Get("Accept-Ranges") != "" {
			t.Errorf("%s: a range of what is unpacked: %d %v", name, a.status, a.header)
		}
	}
}

// Links are for those who take the encoding of what is there.
func TestLinksAreForThoseWhoTakeTheEncoding(t *testing.T) {
	s := openStore(t, buckettest.Start(t).Name(buckettest.Bucket))
	put(t, s, store.Object{Path: symPath, Encoding: store.Gzip}, packed(t, store.Gzip, symText))
	server := start(t, symbolserver.Options{Store: s, Redirect: true})
	a := ask(t, server, http.MethodGet, "/"+symPath)
	a.check(t, "who takes none", http.StatusOK, symText)
	a = ask(t, server, http.MethodGet, "/"+symPath, "Accept-Encoding", "gzip")
	a.check(t, "who takes gzip", http.StatusFound, "http://127.0.0.1:")
	res, err := http.Get(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if !res.Uncompressed || res.StatusCode != http.StatusOK {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// Debuggers ask by build id, as debuginfod's clients do.
func TestDebuginfod(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, store.Object{Path: "buildid/00ff/debuginfo"}, []byte("\x7fELF debug info"))
	put(t, s, store.Object{Path: "buildid/00ff/executable", Encoding: store.Gzip}, packed(t, store.Gzip, "\x7fELF program"))
	put(t, s, store.Object{Path: "try/buildid/00aa/debuginfo"}, []byte("\x7fELF tried"))
	server := start(t, symbolserver.Options{Store: s})
	get := func(target string, headers ...string) answer {
		return ask(t, server, http.MethodGet, target, headers...)
	}
	for _, target := range []string{"/buildid/00ff/debuginfo", "/buildid/00FF/debuginfo"} {
		a := get(target)
		a.check(t, target, http.StatusOK, "\x7fELF debug info")
		if a.header.Get("X-DEBUGINFOD-SIZE") != "15" || a.header.Get("X-DEBUGINFOD-FILE") != "00ff.debug" || a.header.Get("Content-Type") != "application/octet-stream" || a.header.Get("Content-Length") != "15" {
			t.Errorf("%v", a.header)
		}
	}
	a := get("/buildid/00ff/executable", "Accept-Encoding", "deflate, gzip")
	if a.header.Get("Content-Encoding") != "gzip" || a.header.Get("X-DEBUGINFOD-SIZE") != "" || a.header.Get("X-DEBUGINFOD-FILE") != "00ff" || a.unpacked(t) != "\x7fELF program" {
		t.Errorf("%v", a.header)
	}
	a = get("/try/buildid/00aa/debuginfo")
	a.check(t, "tried", http.StatusOK, "\x7fELF tried")
	for _, target := range []string{
		"/buildid/00aa/debuginfo", "/buildid/00ff/source/src/main.c", "/buildid/00ff/source/%2Fsrc%2Fmain.c", "/buildid/00ff/section/.text", "/buildid/00ff", "/buildid/0/debuginfo", "/buildid/00fg/debuginfo", "/buildid/00/debuginfo",
		"/buildid/" + strings.Repeat("f", 130) + "/debuginfo", "/buildid/..%2f..%2fetc/debuginfo", "/metrics",
	} {
		a := get(target)
		a.check(t, target, http.StatusNotFound, "Symbol Not Found")
	}
}
