package symbolserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

// A directory's symbol files, served.
func Example() {
	dir, err := os.MkdirTemp("", "symbols")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of an example
	files, err := store.Open(dir)
	if err != nil {
		panic(err)
	}
	const path, text = "app.pdb/5A9832E5287241C1838ED98914E9B7FF1/app.sym", "MODULE windows x86 5A9832E5287241C1838ED98914E9B7FF1 app.pdb\n"
	if err := files.Put(context.Background(), store.Object{Path: path}, strings.NewReader(text)); err != nil {
		panic(err)
	}

	symbols := symbolserver.New(symbolserver.Options{Store: files})
	defer symbols.Close()
	server := httptest.NewServer(symbols)
	defer server.Close()

	res, err := http.Get(server.URL + "/" + path)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		panic(err)
	}
	fmt.Print(res.Status, " ", string(body))
	// Output: 200 OK MODULE windows x86 5A9832E5287241C1838ED98914E9B7FF1 app.pdb
}
