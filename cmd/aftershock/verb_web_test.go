package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/access"
	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream/streamtest"
	"aftershock/web"
)

// typed runs a command with that on standard input.
func typed(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	in, err := os.Create(filepath.Join(t.TempDir(), "stdin"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.WriteString(in, stdin); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = in
	defer func() { os.Stdin = old }()
	var out, said bytes.Buffer
	code = Main(args, &out, &said)
	return code, out.String(), said.String()
}

func TestUsersOfThePages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.json")
	users := func(stdin string, args ...string) (int, string, string) {
		t.Helper()
		return typed(t, stdin, append(append([]string{"web", "user"}, args...), "--web-users", file)...)
	}
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		"no password":    {"", []string{"add", "jane"}, exitFailed, "no password on standard input"},
		"short password": {"hunter2\n", []string{"add", "jane"}, exitFailed, "want 12 to 1024 bytes"},
		"long password":  {strings.Repeat("x", access.MaxPassword+1), []string{"add", "jane"}, exitFailed, "want 12 to 1024 bytes"},
		"no role":        {"correct horse battery\n", []string{"add", "jane", "--roles", "root"}, exitUsage, "want some of protected, dumps, rules, operator, auditor, bugs"},
		"no name":        {"correct horse battery\n", []string{"add", "oidc:jane"}, exitFailed, "want a name"},
		"nobody":         {"", []string{"remove", "jane"}, exitFailed, "web user list"},
	} {
		code, _, said := users(tc.stdin, tc.args...)
		if code != tc.code || !strings.Contains(said, tc.says) || strings.Contains(said, "hunter2") {
			t.Errorf("%s: %d %s", name, code, said)
		}
	}
	if code, _, said := users("correct horse battery\r\nmore\n", "add", "jane", "--roles", "protected,dumps"); code != 0 || !strings.Contains(said, "protected, dumps") {
		t.Fatalf("%d %s", code, said)
	}
	all, err := access.OpenUsers(file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := all.Check("jane", "correct horse battery"); found == nil || found.ID == "" {
		t.Errorf("%v %v", found, err)
	}
	if code, said, _ := users("", "list"); code != 0 || !strings.Contains(said, "jane  protected, dumps") {
		t.Errorf("%d %s", code, said)
	}
	if code, said, _ := users("", "list", "--json"); code != 0 || !strings.Contains(said, `"name":"jane"`) || strings.Contains(said, "$argon2id") {
		t.Errorf("%d %s", code, said)
	}
	if code, _, said := users("", "roles", "jane"); code != 0 || !strings.Contains(said, "no role") {
		t.Errorf("%d %s", code, said)
	}
	if code, _, said := users("another password\n", "password", "jane"); code != 0 || strings.Contains(said, "another password\n") && !strings.Contains(said, "no session") {
		t.Errorf("%d %s", code, said)
	}
	if code, _, said := users("", "remove", "jane"); code != 0 {
		t.Errorf("%d %s", code, said)
	}
}

// Half a login is none: each flag says what it lacks.
func TestFlagsOfTheLogin(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"users without brokers":     {[]string{"--web-users=u"}, "add --brokers"},
		"provider without brokers":  {[]string{"--oidc-issuer=https://id.test"}, "add --brokers"},
		"protected without a login": {[]string{"--protected-url=http://127.0.0.1:1", "--brokers=127.0.0.1:1"}, "add --web-users or --oidc-issuer"},
		"dumps without a login":     {[]string{"--blob=b", "--brokers=127.0.0.1:1"}, "add --web-users or --oidc-issuer"},
		"tokens without a login":    {[]string{"--web-tokens=t"}, "nobody may log in"},
		"no key":                    {[]string{"--web-users=u", "--brokers=127.0.0.1:1"}, "add --web-key"},
		"tokens of nobody":          {[]string{"--oidc-issuer=https://id.test", "--oidc-client=x", "--web-url=https://crash.test", "--web-key=k", "--web-tokens=t", "--brokers=127.0.0.1:1"}, "--web-tokens"},
		"readable passwords":        {[]string{"--web-users=u", "--web-key=k", "--brokers=127.0.0.1:1", "--web-listen=:8080"}, "travel readable"},
		"readable by its name":      {[]string{"--web-users=u", "--web-key=k", "--brokers=127.0.0.1:1", "--web-url=http://crash.test"}, "want https://host"},
		"a path":                    {[]string{"--web-users=u", "--web-key=k", "--brokers=127.0.0.1:1", "--web-url=https://crash.test/x"}, "want https://host"},
		"no way back":               {[]string{"--oidc-issuer=https://id.test", "--oidc-client=x", "--web-key=k", "--brokers=127.0.0.1:1"}, "add --web-url"},
		"no client":                 {[]string{"--oidc-issuer=https://id.test", "--web-url=https://crash.test", "--web-key=k", "--brokers=127.0.0.1:1"}, "add --oidc-client"},
		"no provider":               {[]string{"--web-users=u", "--oidc-role=dumps=x", "--web-key=k", "--brokers=127.0.0.1:1"}, "add --oidc-issuer"},
		"no address":                {[]string{"--web-listen=off"}, "want an address"},
	} {
		var said bytes.Buffer
		if code := Main(append([]string{"web"}, tc.args...), io.Discard, &said); code != exitUsage || !strings.Contains(said.String(), tc.says) {
			t.Errorf("%s: %d %s", name, code, said.String())
		}
	}
	for name, tc := range map[string]struct {
		change func(*loginFlags)
		says   string
	}{
		"right":          {func(*loginFlags) {}, ""},
		"no such role":   {func(f *loginFlags) { f.OIDCRole = []string{"root=x"} }, "want ROLE=GROUP"},
		"no group":       {func(f *loginFlags) { f.OIDCRole = []string{"dumps="} }, "want ROLE=GROUP"},
		"readable":       {func(f *loginFlags) { f.OIDCIssuer = "http://id.test" }, "want https://host"},
		"empty secret":   {func(f *loginFlags) { f.OIDCSecretFile = os.DevNull }, "is empty"},
		"lost secret":    {func(f *loginFlags) { f.OIDCSecretFile = "/nowhere" }, "--oidc-secret-file"},
		"broken users":   {func(f *loginFlags) { f.WebUsers = f.WebKey }, "--web-users"},
		"broken tokens":  {func(f *loginFlags) { f.WebTokens = f.WebKey }, "--web-tokens"},
		"no proxy":       {func(f *loginFlags) { f.WebProxy = []string{"proxy.test"} }, "--web-proxy"},
		"proxies":        {func(f *loginFlags) { f.WebProxy = []string{"10.0.0.0/8", "::1"} }, ""},
		"port":           {func(f *loginFlags) { f.WebURL = "https://crash.test:8443/" }, ""},
		"on this server": {func(f *loginFlags) { f.WebURL = "http://127.0.0.1:8080" }, ""},
	} {
		dir := t.TempDir()
		f := loginFlags{WebUsers: filepath.Join(dir, "users"), OIDCIssuer: "https://id.test", OIDCClient: "x", WebURL: "https://crash.test", OIDCRole: []string{"dumps=a=b", "dumps=c"}}
		f.keptIn(dir)
		if _, err := access.OpenSeal(f.WebKey); err != nil {
			t.Fatal(err)
		}
		tc.change(&f)
		err := f.check("127.0.0.1:8080")
		if err == nil {
			_, err = f.login()
		}
		if err == nil {
			_, err = f.proxies()
		}
		if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Dumps are found by their crash, in its event and in the blob store.
func TestDumpsAreFoundForPages(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicRaw)
	store, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const id = "0bba929f-8721-460c-8e70-a43c90261122"
	day, err := schema.CrashDay(id)
	if err != nil {
		t.Fatal(err)
	}
	main, beside := []byte("MDMP main"), []byte("MDMP beside")
	keyOf := func(name string, data []byte) string {
		key, err := blob.Key(id, name, sha256.Sum256(data))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, lost := keyOf("upload_file_minidump_browser", beside), keyOf("upload_file_minidump_lost", []byte("x"))
	if err := store.Put(t.Context(), key, beside); err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Timestamp: day.Add(time.Hour), Value: encode(t, &schema.RawCrash{CrashID: id, Dumps: []schema.Dump{
		{Name: "upload_file_minidump_browser", Size: int64(len(beside)), SHA256: sha256.Sum256(beside), Encoding: schema.EncodingNone, Blob: &key},
		{Name: "upload_file_minidump_lost", Size: 1, Encoding: schema.EncodingNone, Blob: &lost},
		{Name: schema.MainDump, Size: int64(len(main)), SHA256: sha256.Sum256(main), Encoding: schema.EncodingNone, Inline: main},
	}})})
	k.Log = zerolog.Nop()
	found := dumpFinder{k, store}
	for name, want := range map[string]string{"": "MDMP main", schema.MainDump: "MDMP main", "upload_file_minidump_browser": "MDMP beside"} {
		if data, err := found.Dump(t.Context(), id, name); err != nil || string(data) != want {
			t.Errorf("%s: %q %v", name, data, err)
		}
	}
	for id, name := range map[string]string{
		id: "other", id[:8] + "-8721-460c-8e70-a43c90261121": "", "0bba929f-8721-460c-8e70-a43c90999999": "", strings.Replace(id, "0bba", "1bba", 1): "",
	} {
		if data, err := found.Dump(t.Context(), id, name); !errors.Is(err, web.ErrNoDump) {
			t.Errorf("%s %s: %q %v", id, name, data, err)
		}
	}
	if data, err := found.Dump(t.Context(), id, "upload_file_minidump_lost"); !errors.Is(err, web.ErrNoDump) {
		t.Errorf("%q %v", data, err)
	}
}
