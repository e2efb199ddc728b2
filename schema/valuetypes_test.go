package schema_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
)

// What developers and their clients send.
var honest = map[schema.ValueType][]string{
	schema.TypeProduct: {
		"Tom's & Co", "飞书", "Acme™ Player", "My Game: Reloaded!", "Firefox", "Firefox Enterprise", "Thunderbird", "MozillaVPN", "Chrome_Linux",
		"Visual Studio Code - Insiders", "The Elder Scrolls V: Skyrim Special Edition", "Call of Duty: Modern Warfare II", "C++ Builder", "C# Pad", "7-Zip",
		"Node.js", "Paint.NET", "Draw.io", "网易云音乐", "カメラ", "Яндекс Браузер", "한글 뷰어", "Müller & Söhne", "acme player", "Electron", "3ds Max 2026", "R2D2",
		"Half-Life 2", "Photo Editor (Beta)", "Notepad++", "O’Reilly Reader", "Le Monde des Machines", "हिन्दी", "Counter-Strike 2", "My.App Pro", "orchard",
		"InternetExplorerPlugin", "Knightsbridge", "Acme, Inc.",
	},
	schema.TypeVersion: {
		"1,2,3,4", "1, 0, 0, 1", "1.0.0-beta+abc", "115.0.2esr (64-bit)", "129.0a1", "1.2.3.4", "10.0.0.1", "10.0.19045.4412", "115.0.5790.102", "v2.4", "r1234",
		"1.2.3-rc.1", "2.0.0-SNAPSHOT", "5.4.0.RELEASE", "1.0.0.Final", "2024.1 Beta 2", "2024.3.1 Patch 4", "27.1.2", "1.0-g1a2b3c4", "1.4.2+20240501123456", "0.9~rc2",
		"20240501", "nightly", "dev", "4.0.dev0", "1", "1.0.0-alpha.beta", "1.2 (Build 77)", "2.1.0_b12", "8u412-b08", "1.0+9f86d08188",
	},
	schema.TypeChannel:     {"release", "nightly", "beta", "esr", "release-cck-ubuntu", "dev", "canary", "default", "stable2", "Beta", "aurora", "early_access", "nightly-try"},
	schema.TypeBuildID:     {"20240501123456", "20240501.3", "12345", "1", "9f86d081", "9F86D081884C", "1.2.3.4"},
	schema.TypeProcessType: {"main", "content", "renderer", "gpu-process", "crashpad-handler", "utility", "gmplugin", "ppapi_broker", "GPU", "node-service"},
	schema.TypePlatform:    {"win32", "Windows", "Linux", "darwin", "Mac OS X", "macos-arm64", "Lin64", "android", "Win64", "ios", "linux-x86_64", "Chrome OS"},
	schema.TypeGUID:        {"{ec8030f7-c20a-464f-9b0e-13a3a9e97384}", "ec8030f7-c20a-464f-9b0e-13a3a9e97384", "{EC8030F7-C20A-464F-9B0E-13A3A9E97384}"},
	schema.TypeLocale:      {"en-US", "de", "zh-Hant-TW", "ja-JP-mac", "pt_BR", "es-419", "ca-valencia", "hsb", "EN-us"},
	schema.TypeIdentifier:  {"PContent::Msg_Foo", "PLayerTransaction::Msg_Update", "a::b::c", "mojom::Frame_2::Commit"},
	schema.TypeWord:        {"Reporting", "Recovered", "ok"},
	schema.TypeDecimal:     {"1", "-1.5", "12345.678901", "1e9", "0.25", "1.5E-7"},
	schema.TypeInteger:     {"0", "-1", "9223372036854775807", "-9223372036854775808"},
	schema.TypeBoolean:     {"0", "1", "true", "false"},
}

// What is none, of the type alone or of all.
var hostile = map[schema.ValueType][]string{
	schema.TypeProduct: {
		"", " Acme", "Acme ", "Acme  Player", "my password is hunter", "please call me back", "I lost my work", "Is this it?", "Acme\nPlayer", "Acme\u200bPlayer", "Acme\u202ePlayer",
		"user=jane", "a:b", "HD:Users:jane", "Acme: a: b", "~jane", "$HOME", "%APPDATA%", "<b>", "\"Acme\"", "Acme 4111111111111111", "+49 170 1234567",
		"DESKTOP-7F3K2L1", "mail.acme.io", "db01.internal.Corp", "example.com", "Server01.local", "Acme 10.1.2.3", "Acme fe80::1", "Acme..Player", "acme --password x",
		"我的密码是一二三四五六七八九十甲乙", "A B C D E F G H I", strings.Repeat("Ä", 65), "\xff", "™", "12", "printer.lan",
	},
	schema.TypeVersion: {
		"", "one", "1.2.3.", "1..2", "1.0 my secret", "1.0 (my secret word)", "1.0 for Jane", "192.168.1.17", "127.0.0.1", "172.16.0.9", "169.254.1.1", "203.0.113.9", "100.64.0.1",
		"1.db.internal.corp", "1.0.example.com", "10.local", "1.0-a8f3k2m9q1", "1/2", `1\2`, "1:2", "1@2", "1.0+9f86d081884c7d659a2feaa0c55ad015", strings.Repeat("1.", 40) + "1", "1,,2", "123456789012345",
	},
	schema.TypeChannel:     {"", "my secret channel", "beta.acme.io", "C:\\beta", "a8f3k2m9q1", "nightly-", "-nightly", "1beta", "DESKTOP-7F3K2L1", "a-b-c-d-e", "tel1234567", strings.Repeat("a", 33)},
	schema.TypeBuildID:     {"", "https://x/1", "123456789012345", "9f86d081884c7", "build 5", "192.168.0.1", "12-34", "9f86D081", "jane"},
	schema.TypeProcessType: {"", "renderer 1", "hunter2", "/usr/bin/x", "a", "content.example.com", "xkcdqwrtplmn", strings.Repeat("abcdefgh-", 4), "main_", "tab=isolated"},
	schema.TypePlatform:    {"", "jane's machine", "linux on db01", "windows-server01", "host", "win32-secret"},
	schema.TypeGUID:        {"", "{ec8030f7-c20a-464f-9b0e-13a3a9e97384", "ec8030f7c20a464f9b0e13a3a9e97384", "{g}", "{ec8030f7-c20a-464f-9b0e-13a3a9e97384} x"},
	schema.TypeLocale:      {"", "english", "en-US-hunter", "en US", "my-secret", "e", "en-US;q=1"},
	schema.TypeIdentifier:  {"", "PContent", "http://a::b", "a::", "::a", "a.b::c", "a::b c", "a::a8f3k2m9q1", "a::b::c::d::e::f", "1::2", "a::" + strings.Repeat("b_", 64)},
	schema.TypeWord:        {"", "two words", "a1", "a.b", strings.Repeat("a", 25)},
	schema.TypeDecimal:     {"", ".5", "1.", "0x10", "1,5", "NaN", "Inf", "1234567890123456789", "1 2"},
	schema.TypeInteger:     {"", "+1", "1.0", "9223372036854775808", "0x1", " 1"},
	schema.TypeBoolean:     {"", "yes", "TRUE", "2"},
}

func TestHonestValuesAreOfTheirType(t *testing.T) {
	for kind, values := range honest {
		for _, v := range values {
			if !kind.Holds(v) {
				t.Errorf("%q is no %s", v, kind)
			}
		}
	}
}

func TestOtherValuesAreNot(t *testing.T) {
	for kind, values := range hostile {
		for _, v := range values {
			if kind.Holds(v) {
				t.Errorf("%q is a %s", v, kind)
			}
		}
	}
}

// Each rule at its limit, and one past it, where nothing else decides.
func TestTheLimitsOfValueTypes(t *testing.T) {
	const numbers = "1234567890."
	for rule, tc := range map[string]struct {
		kind         schema.ValueType
		within, past string
	}{
		"bytes of a version":         {schema.TypeVersion, strings.Repeat(numbers, 5) + "123456789", strings.Repeat(numbers, 5) + "1234567890"},
		"words of a version":         {schema.TypeVersion, "1.0.widget", "1.0.widget.blob"},
		"stages of a version":        {schema.TypeVersion, "1.0.alpha.beta.widget", "1.0.widgets.blobs"},
		"a name's end alone":         {schema.TypeVersion, "1.0-test", "10.test"},
		"a name's end":               {schema.TypeVersion, "10.widget", "10.Local"},
		"a word of a version":        {schema.TypeVersion, "1.2-Abcd", "1.2-abCd"},
		"a version's word is no key": {schema.TypeVersion, "1.2-xkcdqwr", "1.2-xkcdqwrtp"},
		"the first of a version":     {schema.TypeVersion, "159.255.255.255", "160.0.0.0"},
		"a carrier's network, below": {schema.TypeVersion, "100.63.255.255", "100.64.0.0"},
		"a carrier's network, above": {schema.TypeVersion, "100.128.0.0", "100.127.255.255"},
		"another network":            {schema.TypeVersion, "20.65.0.1", "100.65.0.1"},
		"the machine itself":         {schema.TypeVersion, "126.0.0.1", "127.0.0.1"},
		"a private network":          {schema.TypeVersion, "10.16.0.1", "172.16.0.1"},
		"networks of products":       {schema.TypeBuildID, "10.0.0.1", "192.168.0.1"},
		"bytes of a channel":         {schema.TypeChannel, "abcabcab-abcabcab-abcabcab-abcab", "abcabcab-abcabcab-abcabcab-abcabc"},
		"digits of a channel":        {schema.TypeChannel, "tel123456", "tel1234567"},
		"a channel's word, behind -": {schema.TypeChannel, "beta-xkcdqwr", "beta-xkcdqwrt"},
		"a channel's word, behind _": {schema.TypeChannel, "beta_xkcdqwr", "beta_xkcdqwrt"},
		"a channel as a whole":       {schema.TypeChannel, "a1-a1-a1", "a1a1-a1a1"},
		"bytes of a process type":    {schema.TypeProcessType, "abcabcabcabcabca-abcabcabcabcabc", "abcabcabcabcabca-abcabcabcabcabca"},
		"bytes of an identifier":     {schema.TypeIdentifier, "a::" + strings.Repeat("b_", 62) + "b", "a::" + strings.Repeat("b_", 63)},
		"an identifier's word":       {schema.TypeIdentifier, "a::xkcdqwr", "a::xkcdqwrt"},
		"letters of a word":          {schema.TypeWord, strings.Repeat("abc", 8), strings.Repeat("abc", 8) + "a"},
		"a word is no key":           {schema.TypeWord, "xkcdqwr", "xkcdqwrt"},
		"an integer is decimal":      {schema.TypeInteger, "19", "1a"},
		"letters of a product":       {schema.TypeProduct, strings.Repeat("𐐀", 64), strings.Repeat("𐐀", 65)},
		"short letters of a product": {schema.TypeProduct, strings.Repeat("Ä", 64), strings.Repeat("Ä", 65)},
		"syllables":                  {schema.TypeProduct, strings.Repeat("网", 16), strings.Repeat("网", 17)},
		"words of a title":           {schema.TypeProduct, "A B C D E F G H", "A B C D E F G H I"},
		"words of no title":          {schema.TypeProduct, "call back", "please call back"},
		"a title with a colon":       {schema.TypeProduct, "Game: Reloaded", "Game: reloaded"},
		"colons":                     {schema.TypeProduct, "Acme: Big Player", "Acme: Big: Player"},
		"a blank behind a colon":     {schema.TypeProduct, "Acme: Player", "Acme:Player"},
		"one letter is enough":       {schema.TypeProduct, "3 X", "3 2"},
		"a product begins":           {schema.TypeProduct, "Acme", "-Acme"},
		"points":                     {schema.TypeProduct, "Acme. Player", "Acme.. Player"},
		"hyphens":                    {schema.TypeProduct, "Acme -Player", "Acme --Player"},
		"digits of a product":        {schema.TypeProduct, "Acme 123456", "Acme 1234567"},
		"a product's word":           {schema.TypeProduct, "Acme-xkcdqwr", "Acme-xkcdqwrt"},
		"a product as a whole":       {schema.TypeProduct, "A1-A1", "A1A1-A1A1"},
		"labels of a product":        {schema.TypeProduct, "Acme.Io", "Www.Acme.Io"},
		"ends of hosts":              {schema.TypeProduct, "Paint.NET", "Paint.Net"},
		"a host in small letters":    {schema.TypeProduct, "Draw.io", "draw.io"},
		"a number behind the point":  {schema.TypeProduct, "acme.2x", "acme.xx"},
	} {
		t.Run(rule, func(t *testing.T) {
			if !tc.kind.Holds(tc.within) {
				t.Errorf("%q is no %s", tc.within, tc.kind)
			}
			if tc.kind.Holds(tc.past) {
				t.Errorf("%q is a %s", tc.past, tc.kind)
			}
		})
	}
	if schema.ValueType("token").Holds("1") {
		t.Error("a type that there is not holds a value")
	}
}

// No value of these shapes is public by any type but text.
func TestNothingPrivateIsOfAPublicType(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // repeatable
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	name := func() string { return pick("jane", "mueller", "acme", "intranet", "db01", "files", "build", "wiki") }
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	alphabet := func(chars string, n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(chars[r.IntN(len(chars))])
		}
		return b.String()
	}
	host := func() string {
		return name() + "." + pick("internal.corp.example", "acme.com", "example.org", "corp.local", "lan", "intranet", "eu-west.compute.internal", "acme.co.uk")
	}
	shapes := map[string]func() string{
		"URL": func() string {
			return pick("https://", "http://", "ftp://", "file:///", "chrome://") + host() + "/" + name() + "?q=" + name()
		},
		"URL, short":   func() string { return host() + "/" + name() },
		"Windows path": func() string { return pick("C:", "D:", `\\`+name()) + `\Users\` + name() + `\` + name() + ".docx" },
		"POSIX path": func() string {
			return pick("/home/", "/Users/", "~/", "../") + name() + "/" + name() + pick(".txt", "")
		},
		"Mac path": func() string { return "Macintosh HD:Users:" + name() + ":Desktop" },
		"e-mail":   func() string { return name() + "." + name() + "@" + host() },
		"host":     host,
		"machine": func() string {
			return pick("DESKTOP-", "LAPTOP-", "WIN-") + alphabet("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", 7)
		},
		"address":     func() string { return fmt.Sprintf("192.168.%d.%d", r.IntN(256), r.IntN(256)) },
		"address, v6": func() string { return fmt.Sprintf("fe80::%x:%x", r.IntN(65536), r.IntN(65536)) },
		"with a port": func() string { return fmt.Sprintf("10.%d.0.%d:8080", r.IntN(256), r.IntN(256)) },
		"sentence": func() string {
			return pick("I was", "please help", "my password is", "it crashed when", "call me at") + " " + name() + " " + pick("and then it froze", "right now", "yesterday in the office")
		},
		"hex secret":    func() string { return hex.EncodeToString(bytesOf(8 + r.IntN(24))) },
		"HEX secret":    func() string { return strings.ToUpper(hex.EncodeToString(bytesOf(8 + r.IntN(24)))) },
		"base64 secret": func() string { return base64.StdEncoding.EncodeToString(bytesOf(15 + r.IntN(30))) },
		"base64url":     func() string { return base64.RawURLEncoding.EncodeToString(bytesOf(15 + r.IntN(30))) },
		"base62 token": func() string {
			return alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 20+r.IntN(20))
		},
		"named token": func() string {
			return pick("ghp_", "sk-live-", "xoxb-", "AKIA") + alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 24)
		},
		"assignment": func() string { return pick("password=", "token: ", "user=") + name() },
		"JWT":        func() string { return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(bytesOf(30)) },
	}
	passed := map[string]int{}
	const rounds = 2000
	for _, shape := range slices.Sorted(maps.Keys(shapes)) {
		for range rounds {
			v := shapes[shape]()
			if schema.TypeInteger.Holds(v) {
				continue // a secret of digits alone is a number
			}
			for kind := range honest {
				if kind.Holds(v) {
					if passed[shape]++; passed[shape] < 5 {
						t.Logf("%s %q is a %s", shape, v, kind)
					}
				}
			}
		}
	}
	for shape, n := range passed {
		t.Errorf("%s: %d of %d are public", shape, n, rounds)
	}
}
