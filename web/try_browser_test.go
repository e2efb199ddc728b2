package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// A trial can be read by everybody, in a browser that shows it while it comes.
func TestATrialInABrowser(t *testing.T) {
	ctx, axe := chromium(t)
	a := stacked(t, "abort", "helper", "f")
	s := rulesSite(t, true, a, stacked(t, "abort", "helper", "g"), stacked(t, "x"))
	var heard complaints
	if err := chromedp.Listen(ctx, heard.hear); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{1440, 390} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.URL+"/rules/try?file=prefix_signature_re.txt&line=helper"), chromedp.Click(`button[value=try]`), chromedp.WaitVisible(`#result`)); err != nil {
			t.Fatal(err)
		}
		if wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); err != nil || wide > width {
			t.Errorf("%d pixels wide of %d, %v", wide, width, err)
		}
		if rows, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.querySelectorAll('.side tbody tr').length")); err != nil || rows != 2 {
			t.Errorf("%d examples, %v", rows, err)
		}
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](axe+"; 0")); err != nil {
			t.Fatal(err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](violations, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append(found, heard.taken()...) {
			t.Errorf("at %d: %s", width, text)
		}
	}
}
