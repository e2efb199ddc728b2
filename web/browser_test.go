package web_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium starts it with a page that has no script of ours, and returns the source of
// axe-core. Both are not everywhere: without them a test is skipped, but not in CI.
func chromium(t *testing.T) (ctx context.Context, axe string) {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("CI") != "" {
			t.Fatal(what + " is missing")
		}
		t.Skip(what + " is missing")
	}
	exe, err := exec.LookPath("chromium")
	if err != nil {
		missing("chromium")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "aftershock", "axe", "*", "axe.min.js"))
	if err != nil || len(found) == 0 {
		missing("axe-core (script/fetch-axe.sh fetches it)")
	}
	source, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.DisableGPU, chromedp.NoSandbox)
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocated)
	t.Cleanup(end)
	return ctx, string(source)
}

// complaints are what the browser says of pages: errors, refusals of the content policy,
// exceptions.
type complaints struct {
	mu  sync.Mutex
	all []string
}

func (c *complaints) hear(event any) {
	var text string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		text = fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		text = fmt.Sprintf("console.%s", e.Type)
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, text)
}

func (c *complaints) taken() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, c.all = c.all, nil
	return all
}

// violations are those of WCAG 2.2 AA, as axe-core finds them, a line each.
const violations = `(async () => {
	const found = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']});
	return found.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + (n.any[0] || n.all[0] || n.none[0] || {message: ''}).message).join(' ; '));
})()`

// Every page can be read and reached by everybody, in light and in dark, on a desk and on a
// telephone: axe-core finds nothing, the browser complains of nothing, and nothing is wider than
// the window.
func TestPagesInABrowser(t *testing.T) {
	ctx, axe := chromium(t)
	c := stacked(t, "abort", "helper", "f")
	doubtful := unsure(t)
	s := rulesSite(t, true, append(generated(t, 300), c, doubtful)...)
	pages := []string{
		"/", "/top", "/top?tab=startup&os=%21%3DLinux&os=%21%3DAndroid", "/text?text=render", "/search", "/search?date=%3E%3D28d&_facets=os&_facets=_histogram.date&_aggs.product=stack.function", "/api/", "/compare", "/compare?a_from=28d&b_from=1d", "/missing", "/health", "/questions", "/questions/top-crashers", "/docs/fields", "/docs/design",
		"/crash/" + c.CrashID, "/crash/" + doubtful.CrashID, "/crash/" + c.CrashID + "?under=2", "/rules", "/rules/try?file=prefix_signature_re.txt&line=f", "/replay", "/replay/1", "/replay/2", "/nothing", "/top?from=yesterday",
	}
	for _, tab := range []string{"", "reports", "builds", "distributions", "stacks", "more", "history"} {
		pages = append(pages, "/signature?"+url.Values{"signature": {c.Signature}, "tab": {tab}}.Encode())
	}
	var heard complaints
	if err := chromedp.Listen(ctx, heard.hear); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1440, 390} {
			if wide := width == 1440; wide != (scheme == "light") && os.Getenv("AFTERSHOCK_ALL_LOOKS") == "" {
				continue // two looks of four in the short form
			}
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range pages {
				name := fmt.Sprintf("%s at %d, %s", at, width, scheme)
				if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.URL+at)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); err != nil || wide > width {
					t.Errorf("%s: %d pixels wide, %v", name, wide, err)
				}
				for _, text := range heard.taken() {
					if refused := at == "/nothing" || at == "/top?from=yesterday"; !refused || !strings.Contains(text, "status of 4") {
						t.Errorf("%s: %s", name, text)
					}
				}
				if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](axe+"; 0")); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](violations, chromedp.EvalAwaitPromise))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, text := range found {
					t.Errorf("%s: %s", name, text)
				}
				heard.taken() // of axe itself
			}
		}
	}
}
