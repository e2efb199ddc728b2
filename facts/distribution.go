package facts

import (
	"encoding/json"

	"aftershock/schema"
)

// ownDistribution is what builds that nobody else distributes are called.
const ownDistribution = "mozilla"

// distributors are the ids that are shown: an id is chosen by whoever makes a build, also
// for a company's own machines.
var distributors = map[string]bool{
	ownDistribution: true, "archlinux": true, "canonical": true, "canonical-002": true, "debian": true, "fedora": true, "flathub": true, "freebsd": true, "gentoo": true,
	"manjaro": true, "mint": true, "mint-001": true, "mint-002": true, "mozilla-deb": true, "mozilla-flatpak": true, "mozilla-MSIX": true, "mozilla-rpm": true, "mozillaonline": true,
	"nixos": true, "openSUSE": true, "redhat": true, "snapcraft": true, "ubuntu": true, "void": true,
}

// distribution is who distributed the build, if it is one of many people's. The telemetry environment says nothing of it
// where Mozilla itself did.
func (d *derivation) distribution() {
	id := d.any("DistributionID")
	if id == "" {
		value := d.any("TelemetryEnvironment")
		if value == "" {
			return
		}
		var environment struct {
			Partner *struct {
				DistributionID *string `json:"distributionId"`
			} `json:"partner"`
		}
		if err := json.Unmarshal([]byte(value), &environment); err != nil {
			d.note(schema.NoteEnvironmentMalformed)
			return
		}
		if environment.Partner == nil {
			return
		}
		if p := environment.Partner.DistributionID; p != nil {
			id = *p
		}
		if id == "" {
			id = ownDistribution
		}
	}
	if distributors[id] {
		d.pub.DistributionID = &id
	}
}
