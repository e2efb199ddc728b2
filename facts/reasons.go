package facts

import (
	"fmt"
	"strings"

	"aftershock/schema"
)

// reasons are what the program itself said of its end: public as literals of the program,
// protected as it is.
func (d *derivation) reasons() {
	d.pub.MozCrashReason = text(d.publicText(d.any("MozCrashReason")))
	d.pub.AbortMessage = text(d.publicText(d.any("AbortMessage")))
	said := d.assertion()
	d.prot.Assertion = long(said, maxLongText)
	d.pub.Assertion = text(d.publicText(said))
}

var keySeparators = strings.NewReplacer("-", "", "_", "", " ", "")

// assertion is the text of what ended the program: that of Microsoft's runtime, of an
// annotation, or what a library of macOS left.
func (d *derivation) assertion() string {
	if a := d.Dump.Assertion; a != nil && a.Expression != "" {
		said := a.Expression
		if a.Function != "" {
			said += ", " + a.Function
		}
		if a.File != "" {
			said += fmt.Sprintf(", %s:%d", a.File, a.Line)
		}
		return said
	}
	values := map[string]string{}
	add := func(name, value string) {
		key := strings.ToLower(keySeparators.Replace(name))
		if values[key] == "" {
			values[key] = schema.ClientText(value)
		}
	}
	for _, a := range d.Crash.CrashpadAnnotations {
		add(a.Name, a.Value)
	}
	for _, a := range d.Crash.Annotations {
		add(a.Name, a.Value)
	}
	for _, key := range schema.AssertionNames {
		if values[key] != "" {
			return values[key]
		}
	}
	for i := range d.Dump.MacCrashRecords {
		if r := &d.Dump.MacCrashRecords[i]; r.Message != "" {
			return strings.TrimSpace(r.Message)
		}
	}
	return ""
}
