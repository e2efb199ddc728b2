package facts

import (
	"net/url"
	"strings"

	"aftershock/schema"
)

// noAddonVersion stands for the version of an add-on that came without, as the reference
// writes it.
const noAddonVersion = "NO_VERSION"

// defaultTheme is the id of Firefox's default theme, which nobody knows by heart.
const defaultTheme = "{972ce4c6-7e08-4474-a285-3208198ce6fd}"

// addons are the add-ons that were active: id:version,… with both escaped as in a URL.
func (d *derivation) addons() {
	if d.annotations["Add-ons"] == nil {
		return
	}
	count := 0
	for addon := range strings.SplitSeq(d.any("Add-ons"), ",") {
		if addon == "" {
			continue
		}
		count++
		if len(d.prot.Addons) == maxList {
			d.note(schema.NoteFactsCapped)
			continue
		}
		if !strings.Contains(addon, ":") {
			addon += ":" + noAddonVersion
		}
		if plain, err := url.QueryUnescape(addon); err == nil {
			addon = plain
		}
		if version, ok := strings.CutPrefix(addon, defaultTheme+":"); ok {
			addon = defaultTheme + " (default theme):" + version
		}
		d.prot.Addons = append(d.prot.Addons, *text(addon))
	}
	d.pub.AddonCount = new(int32(count))
}
