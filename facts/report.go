package facts

import "strings"

// What a report is about.
const (
	reportCrash = "crash"
	reportHang  = "hang"
)

// watchdog is the function that ends Firefox when its shutdown hangs
// (nsTerminator.cpp).
const watchdog = "RunWatchdog"

// report tells a program that was ended because it hung from one that crashed.
func (d *derivation) report() {
	d.pub.ReportType = new(reportCrash)
	hang := func(yes *bool) bool { return yes != nil && *yes }
	if d.any("ipc_channel_error") != "" || d.any("AsyncShutdownTimeout") != "" || hang(boolean(d.any("Hang"))) || hang(boolean(d.any("PluginHang"))) {
		d.pub.ReportType = new(reportHang)
	}
	if t := d.crashing(); t != nil {
		for i := range t.Frames {
			if strings.Contains(t.Frames[i].Function, watchdog) {
				d.pub.ReportType = new(reportHang)
			}
		}
	}
}
