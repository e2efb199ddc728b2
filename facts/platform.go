package facts

import (
	"regexp"
	"strings"

	"aftershock/schema"
)

// The system by its client's words: of crashes without a dump that says it. Words of
// lists and numbers alone are taken, because the fields are public.
const (
	annotationOS          = "OS"
	annotationOSVersion   = "OSVersion"
	annotationArch        = "CPUArchitecture"
	annotationCPU         = "CPUInfo"
	annotationAndroid     = "Android_Version"
	annotationAndroidABI  = "Android_CPU_ABI"
	annotationAndroidSelf = "Android_Model"
)

var systems = map[string]string{
	"windows nt": windows, "windows_nt": windows, "winnt": windows, "windows": windows, "mac os x": macOS, "macos": macOS, "darwin": macOS,
	"linux": linux, "android": android, "ios": "iOS", "solaris": "Solaris",
}

var architectures = map[string]string{
	"x86": "x86", "i386": "x86", "i686": "x86", "amd64": "amd64", "x86_64": "amd64", "x86-64": "amd64", "arm": "arm", "armeabi-v7a": "arm", "armeabi": "arm",
	"arm64": "arm64", "aarch64": "arm64", "arm64-v8a": "arm64", "mips": "mips", "mips64": "mips64", "ppc": "ppc", "ppc64": "ppc64", "riscv64": "riscv64",
}

var (
	shownVersion = regexp.MustCompile(`^[0-9]{1,5}(?:\.[0-9]{1,6}){0,3}(?: (?:[0-9]{1,6}|[0-9]{1,2}[A-Z][0-9]{1,5}[a-z]?|Service Pack [0-9]))?$`)
	shownCPU     = regexp.MustCompile(`^(?:(?:GenuineIntel|AuthenticAMD|HygonGenuine|CentaurHauls) )?family [0-9]{1,4}(?: model [0-9]{1,4})?(?: stepping [0-9]{1,4})?$`)
)

// Platform fills what a dump does not say of the machine from annotations. Android's
// version is its API level, whatever its kernel is.
func Platform(s *schema.System, annotations map[string]string) {
	value := func(name string) string { return schema.ClientText(annotations[name]) }
	if s.OS == "" {
		s.OS = systems[strings.ToLower(value(annotationOS))]
	}
	if s.OS == "" && value(annotationAndroid) != "" && value(annotationAndroidSelf) != "" {
		s.OS = android
	}
	if s.OS == android {
		if level := sdk.FindString(value(annotationAndroid)); level != "" {
			s.OSVersion = level
		}
	}
	if v := value(annotationOSVersion); s.OSVersion == "" && shownVersion.MatchString(v) {
		s.OSVersion = v
	}
	if s.CPUArch == "" {
		s.CPUArch = architectures[strings.ToLower(value(annotationArch))]
	}
	if s.CPUArch == "" {
		s.CPUArch = architectures[strings.ToLower(value(annotationAndroidABI))]
	}
	if v := value(annotationCPU); s.CPUInfo == "" && shownCPU.MatchString(v) {
		s.CPUInfo = v
	}
}
