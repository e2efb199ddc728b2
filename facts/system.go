package facts

import (
	"regexp"
	"strconv"
	"strings"

	"aftershock/schema"
)

// system is what the machine's system is called.
func (d *derivation) system() {
	s := &d.Crash.System
	d.pub.OSBuild = osBuild(s)
	release := d.Dump.LinuxDescription
	if release == "" {
		release = d.any("lsb-release")
	}
	d.prot.LinuxRelease = text(release)
	d.pub.OSPrettyVersion = text(prettyVersion(s, release))
	if s.OS == android {
		if n, err := strconv.ParseInt(sdk.FindString(d.any("Android_Version")), 10, 32); err == nil {
			d.pub.AndroidAPILevel = new(int32(n))
		}
	}
	if v := d.any("CPUMicrocodeVersion"); microcode.MatchString(v) {
		d.pub.CPUMicrocode = &v
	} else if v != "" {
		d.note(schema.NoteMicrocodeMalformed)
	}
}

var (
	numbers   = regexp.MustCompile(`^[0-9]{1,5}(?:\.[0-9]{1,6}){0,3}`)
	sdk       = regexp.MustCompile(`^[0-9]{1,3}\b`)
	microcode = regexp.MustCompile(`^0[xX][0-9A-Fa-f]{1,16}$`)
	macBuild  = regexp.MustCompile(`^[0-9]{1,2}[A-Z][0-9]{1,5}[a-z]?$`)
	winUpdate = regexp.MustCompile(`^[0-9]{1,6}$`)
)

// Systems by the names that dumps give them.
const (
	windows = "Windows NT"
	macOS   = "Mac OS X"
	linux   = "Linux"
	android = "Android"
)

// windowsNames are the releases by the first two numbers of their versions (MSDN,
// "Operating System Version").
var windowsNames = map[string]string{
	"5.0": "Windows 2000", "5.1": "Windows XP", "5.2": "Windows Server 2003", "6.0": "Windows Vista", "6.1": "Windows 7",
	"6.2": "Windows 8", "6.3": "Windows 8.1", "10.0": "Windows 10",
}

// windows11 is the first build of Windows 11, which still calls itself 10.0.
const windows11 = 21996

// prettyVersion is a system as people call it; empty where its name says no more than os.
func prettyVersion(s *schema.System, release string) string {
	version := strings.Split(numbers.FindString(s.OSVersion), ".")
	switch s.OS {
	case windows:
		if len(version) < 2 {
			return "Windows"
		}
		name := windowsNames[version[0]+"."+version[1]]
		if name == "" {
			return "Windows"
		}
		if len(version) > 2 && version[0] == "10" {
			if build, err := strconv.Atoi(version[2]); err == nil && build >= windows11 {
				return "Windows 11"
			}
		}
		return name
	case macOS:
		major, err := strconv.Atoi(version[0])
		switch {
		case err != nil:
			return macOS
		case major >= 11: // 11 was the first that counts whole numbers
			return "macOS " + version[0]
		case major == 10 && len(version) > 1:
			return "OS X 10." + version[1]
		}
		return macOS
	case linux:
		if name := distribution(release); name != "" {
			return name
		}
		return linux
	case android:
		if n := sdk.FindString(s.OSVersion); n != "" {
			return android + " " + n
		}
		return android
	}
	return s.OS
}

// distributions are the names of Linux distributions that are shown: what else a release
// file says is somebody's own text.
var distributions = []string{
	"AlmaLinux", "Alpine Linux", "Amazon Linux", "Arch Linux", "ArcoLinux", "BigLinux", "Bodhi Linux", "CachyOS Linux", "CachyOS", "CentOS Linux", "CentOS Stream", "Chromium OS", "Chrome OS",
	"Clear Linux OS", "Debian GNU/Linux", "Debian", "Deepin", "Devuan GNU/Linux", "EndeavourOS Linux", "EndeavourOS", "Fedora Linux", "Fedora release", "Fedora", "Freedesktop.org SDK",
	"Freedesktop SDK", "Garuda Linux", "Gentoo Linux", "Gentoo", "GNOME", "Guix System", "Kali GNU/Linux", "KDE neon", "Kubuntu", "Linux Mint", "LMDE", "Mageia", "Manjaro Linux", "Manjaro",
	"MX", "NixOS", "Nobara Linux", "openSUSE Leap", "openSUSE Tumbleweed", "Oracle Linux Server", "Pop!_OS", "PureOS", "Raspbian GNU/Linux", "Red Hat Enterprise Linux", "Rocky Linux",
	"Slackware", "Solus", "SteamOS", "SUSE Linux Enterprise Server", "SUSE Linux Enterprise Desktop", "Trisquel GNU/Linux", "TUXEDO OS", "Ubuntu Core", "Ubuntu", "Void Linux", "Xubuntu",
	"Zorin OS", "elementary OS",
}

// release is what may follow a distribution's name: numbers, LTS, a codename of a list would
// be no news beside the number.
var releaseNumber = regexp.MustCompile(`^ (?:release )?([0-9]{1,8}(?:\.[0-9]{1,4}){0,2}(?: LTS)?)(?:$|[ (,])`)

// distribution is the public part of a distribution's description: a known name and its
// number.
func distribution(description string) string {
	for _, name := range distributions {
		rest, ok := strings.CutPrefix(description, name)
		switch {
		case !ok:
		case rest == "":
			return name
		default:
			if m := releaseNumber.FindStringSubmatch(rest); m != nil {
				return strings.TrimSuffix(name, " release") + " " + m[1]
			}
			if rest[0] == ' ' {
				return name
			}
		}
	}
	return ""
}

// osBuild is the build in a system's version: Windows writes it third, with its update
// behind, Apple's systems behind the version.
func osBuild(s *schema.System) *string {
	version, behind, _ := strings.Cut(s.OSVersion, " ")
	switch s.OS {
	case windows:
		if parts := strings.Split(numbers.FindString(version), "."); len(parts) > 2 {
			build := parts[2]
			if winUpdate.MatchString(behind) {
				build += "." + behind
			}
			return &build
		}
	case macOS, "iOS":
		if macBuild.MatchString(behind) {
			return &behind
		}
	}
	return nil
}
