package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"path"
)

// static is a file that pages take along. It is named by its digest, so that a browser asks for it
// once and has a new one at once.
type static struct {
	At   string // its path
	Sum  string // its digest, as content policies and the attribute integrity have it
	kind string
	body []byte
}

// readStatic reads one of the files that the program has in it.
func readStatic(name, kind string) (static, error) {
	body, err := files.ReadFile("static/" + name)
	if err != nil {
		return static{}, err
	}
	sum := sha256.Sum256(body)
	return static{At: "/static/" + hex.EncodeToString(sum[:6]) + path.Ext(name), Sum: "sha256-" + base64.StdEncoding.EncodeToString(sum[:]), kind: kind, body: body}, nil
}

func (s static) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", s.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(s.body) //nolint:errcheck,gosec // its client may be gone
}

// contentPolicy lets a page have our style sheet, the one script of ours, by its digest, and nothing
// else: no other script, no markup that a script has made of texts, no address of others.
func contentPolicy(script static) string {
	return "default-src 'none'; script-src '" + script.Sum + "'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}
