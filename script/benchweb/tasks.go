package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chromedp/chromedp"
)

// tasks are those of docs/web.md that need no role and no tracker: what is clicked, from the first
// page on, as the beginning of its text or, with a = before it, as a selector.
var tasks = []struct {
	name   string
	clicks []string
}{
	{"what is new since yesterday?", nil},
	{"did build B fix it?", []string{aSignature, "Builds"}},
	{"is it hardware?", []string{aSignature, "Over-represented"}},
	{"who else is affected?", []string{aSignature, "Distributions"}},
	{"which crash should I debug?", []string{aSignature, "The crash to begin with"}},
	{"what would ignoring this frame do?", []string{aSignature, "The crash to begin with", "ignore", "Try on real crashes"}},
	{"what was this called last month?", []string{aSignature}},
	{"which symbols are missing?", []string{"Missing symbols"}},
}

const aSignature = `=main tbody a[href^="/signature?"]`

// click does it, or says that there is nothing of the kind.
const click = `(what => {
	const at = what[0] === '=' ? document.querySelector(what.slice(1)) : [...document.querySelectorAll('a, button')].find(e => e.textContent.trim().startsWith(what));
	if (at) at.click();
	return !!at;
})(%q)`

// another is true on a page, whole, that is not the one of a time.
const another = `performance.timeOrigin !== %f && document.readyState === 'complete'`

// doTasks prints how long each task takes a browser whose user does not have to think.
func doTasks(ctx context.Context, pages string) error {
	browser, end := browse(ctx)
	defer end()
	for _, task := range tasks {
		began := time.Now()
		if err := chromedp.Do(browser, chromedp.Navigate(pages+"/")); err != nil {
			return err
		}
		for _, what := range task.clicks {
			was, err := chromedp.Run(browser, chromedp.Evaluate[float64]("performance.timeOrigin"))
			if err != nil {
				return err
			}
			if done, err := chromedp.Run(browser, chromedp.Evaluate[bool](fmt.Sprintf(click, what))); err != nil || !done {
				return fmt.Errorf("%s: no %s: %w", task.name, what, err)
			}
			if err := wait(ctx, func() error {
				// One that goes while it is asked is none.
				if there, err := chromedp.Run(browser, chromedp.Evaluate[bool](fmt.Sprintf(another, was))); err != nil || !there {
					return fmt.Errorf("%s: no page behind %s: %w", task.name, what, err)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		fmt.Printf("| %s | %d | %.1f |\n", task.name, len(task.clicks), time.Since(began).Seconds())
	}
	return nil
}
