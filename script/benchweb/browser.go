package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/chromedp/chromedp"
)

// largest is when the largest thing that a page shows was painted, in milliseconds.
const largest = `new Promise(tell => new PerformanceObserver(list => tell(list.getEntries().at(-1).startTime)).observe({type: 'largest-contentful-paint', buffered: true}))`

// paints are how often each page is opened.
const paints = 7

// browse starts headless Chromium.
func browse(ctx context.Context) (browser context.Context, end func()) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.DisableGPU, chromedp.NoSandbox)
	allocated, stop := chromedp.NewExecAllocator(ctx, options...)
	browser, done := chromedp.NewContext(allocated)
	return browser, func() { done(); stop() }
}

// paint tells when the largest part of pages is there, in headless Chromium.
func (b *bench) paint(ctx context.Context, pages ...string) error {
	browser, end := browse(ctx)
	defer end()
	for _, at := range pages {
		var took []float64
		for n := range paints {
			// Another address each time: else it comes from the browser's cache.
			if err := chromedp.Do(browser, chromedp.Navigate(fmt.Sprintf("http://%s%s?look=%d", b.pages, at, n))); err != nil {
				return err
			}
			ms, err := chromedp.Run(browser, chromedp.Evaluate[float64](largest, chromedp.EvalAwaitPromise))
			if err != nil {
				return err
			}
			took = append(took, ms)
		}
		slices.Sort(took)
		fmt.Printf("largest contentful paint of %.6s: %.0f ms, at most %.0f\n", at, took[len(took)/2], took[len(took)-1])
	}
	return nil
}
