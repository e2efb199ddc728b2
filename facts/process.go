package facts

import (
	"regexp"
	"strconv"
	"strings"

	"aftershock/schema"
)

// process is which process of which version crashed.
func (d *derivation) process() {
	kind := d.means[schema.MeansProcessType]
	if kind == "" || kind == "main" {
		kind = schema.MainProcess
	}
	d.pub.ProcessType = &kind
	version := d.means[schema.MeansVersion]
	d.pub.MajorVersion = majorVersion(version)
	if strings.EqualFold(d.means[schema.MeansChannel], "esr") && plainVersion.MatchString(version) {
		version += "esr" // Mozilla's extended support releases have the numbers of others
	}
	d.pub.DisplayVersion = text(version)
	d.pub.StartupCrash = boolean(d.public("StartupCrash"))
	d.pub.SubmittedFrom = text(d.public("SubmittedFrom"))
	if infobar := boolean(d.any("SubmittedFromInfobar")); infobar != nil && *infobar {
		d.pub.SubmittedFrom = new("Infobar") // whatever else the client says
	}
	d.pub.Accessibility = equals(d.any("Accessibility"), "Active")
	d.pub.AddonsChecked = boolean(d.any("EMCheckCompatibility"))
}

var plainVersion = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)*$`)

// majorVersion is the number before the first point.
func majorVersion(version string) *int32 {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.ParseInt(first, 10, 32)
	if err != nil || n < 0 || first[0] == '+' {
		return nil
	}
	return new(int32(n))
}

// boolean reads what clients write for yes and no.
func boolean(value string) *bool {
	switch strings.ToLower(value) {
	case "1", "true":
		return new(true)
	case "0", "false":
		return new(false)
	}
	return nil
}

// equals tells whether an annotation that is there has a value.
func equals(value, want string) *bool {
	if value == "" {
		return nil
	}
	return new(value == want)
}
