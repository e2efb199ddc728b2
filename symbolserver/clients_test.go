package symbolserver_test

import (
	"net/http"
	"testing"

	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

// What clients of symbol servers send, as their sources have it.
func TestRequestsOfClients(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, store.Object{Path: symPath, Encoding: store.Gzip, SHA256: sum(symText)}, packed(t, store.Gzip, symText))
	put(t, s, store.Object{Path: "xul.pdb/" + debugID + "/xul.pd_"}, []byte("MSCF"))
	put(t, s, store.Object{Path: "xul.dll/651C9AF99241000/xul.dll"}, []byte("MZ"))
	put(t, s, store.Object{Path: "libxul.so/" + otherID + "/libxul.so.dbg.gz"}, []byte("\x1f\x8b"))
	put(t, s, store.Object{Path: "buildid/00ff/debuginfo"}, []byte("\x7fELF"))
	server := start(t, symbolserver.Options{Store: s})
	for name, c := range map[string]struct {
		target  string
		headers []string
		status  int
	}{
		"minidump-stackwalk":           {"/" + symPath, []string{"Accept-Encoding", "gzip"}, 200},
		"minidump-stackwalk, no id":    {"/" + codeAsk, []string{"Accept-Encoding", "gzip"}, 302},
		"minidump-stackwalk, a module": {"/xul.dll/651C9AF99241000/xul.dl_", nil, 404},
		"samply, symbols":              {"/" + symPath, []string{"User-Agent", "samply/0.13"}, 200},
		"samply, a packed PDB":         {"/xul.pdb/" + debugID + "/xul.pd_", []string{"Accept-Encoding", "gzip"}, 200},
		"samply, a PE":                 {"/xul.dll/651C9AF99241000/xul.dll", nil, 200},
		"samply, by build id":          {"/buildid/00ff/debuginfo", []string{"Accept-Encoding", "br, gzip, zstd"}, 200},
		"Firefox profiler":             {"/" + symPath, []string{"Origin", "https://profiler.firefox.com", "Sec-Fetch-Site", "cross-site", "Accept-Encoding", "gzip, deflate, br, zstd"}, 200},
		"Eliot":                        {"/try/" + symPath, []string{"User-Agent", "eliot/1.0", "Accept-Encoding", "gzip, deflate"}, 200},
		"windbg, its file pointer":     {"/xul.pdb/" + debugID + "/file.ptr", []string{"User-Agent", "Microsoft-Symbol-Server/10.0.0.0"}, 404},
		"windbg, its greeting":         {"/pingme.txt", []string{"User-Agent", "Microsoft-Symbol-Server/10.0.0.0"}, 404},
		"windbg, its layout":           {"/index2.txt", []string{"User-Agent", "Microsoft-Symbol-Server/10.0.0.0"}, 404},
		"windbg, a PE in lower case":   {"/xul.dll/651c9af99241000/xul.dll", []string{"User-Agent", "Microsoft-Symbol-Server/10.0.0.0"}, 200},
		"fix-stacks":                   {"/libxul.so/" + otherID + "/libxul.so.dbg.gz", nil, 200},
		"gdb":                          {"/buildid/00ff/debuginfo", []string{"User-Agent", "gdb/13.1 elfutils/0.188", "Accept-Encoding", "deflate, gzip, br, zstd"}, 200},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := ask(t, server, method, c.target, c.headers...)
			if a.status != c.status || a.err != nil || a.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s, %s: %d, want %d, %v", name, method, a.status, c.status, a.header)
			}
		}
	}
}
