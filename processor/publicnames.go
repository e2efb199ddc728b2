package processor

import (
	"hash/maphash"
	"regexp"
	"strings"

	"aftershock/internal/memo"
	"aftershock/minidump"
	"aftershock/symbolcache"
)

// A dump lists files that the process had mapped, and not all of them are code: a
// document, a cache, a home folder, memory with a name. The event's fields that are
// public, and the signature with them, name what is code, and call all else mappedFile;
// Path is protected and keeps the truth.
const mappedFile = "(mapped file)"

// maxCodeName is the longest name that is shown, maxCodeID the longest build id, in
// bytes: a linker writes 20 at most, and a longer one is memory behind it.
const (
	maxCodeName = 120
	maxCodeID   = 32
)

var (
	// Names of files that loaders load, by what they end on. What they are made of is
	// bounded, too: no address, assignment or escape is a name of code.
	codeFile = regexp.MustCompile(`(?i)^[\pL\pN_.+~()\[\]{}! -]*\.(?:so(?:\.[0-9]{1,8}[0-9A-Za-z_]{0,6}){0,5}|dll|exe|dylib|node|sys|drv|ocx|cpl|ax|acm|pyd|jnilib|bundle|scr|ime|mui|efi|ko|vst3|8bf|aex|asi|xll|bpl|apk|dex|odex|oat|vdex|jar|com)(?: \(deleted\))?$`)
	// Names of executables that have none of these ends.
	program = regexp.MustCompile(`^(?:[\pL\pN_][\pL\pN_+ -]*(?:\.(?:[0-9]{1,10}|x86|x86_64|amd64|arm64|aarch64|bin|AppImage|out|elf|run|real|orig|wrapped))*|(?:com|org|net|io|app|dev)(?:\.[\pL\pN_-]+){2,6})$`)
	// A home folder itself.
	home = regexp.MustCompile(`(?i)(?:^|[/\\:])(?:home|users)[/\\:][^/\\:]*$`)
	// The kernel's own.
	kernelFile = regexp.MustCompile(`^\[[a-z]{2,10}\]$`)
	debugFile  = regexp.MustCompile(`(?i)^[\pL\pN_.+~()\[\]{}! -]*\.(?:pdb|debug|dwo|dwp|sym|dsym)$`)
)

func looksLikeCode(name string) bool {
	switch {
	case len(name) > maxCodeName:
		return false
	case plainLibrary(name):
		return true
	}
	return codeFile.MatchString(name) || kernelFile.MatchString(name)
}

// plainLibrary tells of most names that codeFile matches, without asking it, which would
// be the dearest of what is done with a module: name.dll, name.so and name.so.1.2.
func plainLibrary(name string) bool {
	stem, ok := strings.CutSuffix(name, ".dll")
	if !ok {
		stem = strings.TrimRight(name, ".0123456789")
		if stem, ok = strings.CutSuffix(stem, ".so"); !ok {
			return false
		}
		versions := name[len(stem)+len(".so"):]
		for n := 0; versions != ""; n++ {
			i := strings.IndexByte(versions[1:], '.') + 1
			if i == 0 {
				i = len(versions)
			}
			if versions[0] != '.' || n == 5 || i < 2 || i > 9 {
				return false
			}
			versions = versions[i:]
		}
	}
	for i := range len(stem) {
		c := stem[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' && c != '+' {
			return false
		}
	}
	return true
}

// fileName is what a file that is no module any more is called.
func fileName(name string) string {
	if name == "" || looksLikeCode(name) {
		return name
	}
	return mappedFile
}

// moduleName is what module i may be called.
func moduleName(d *minidump.Dump, i int, outcome symbolcache.Outcome) string {
	m := &d.Modules[i]
	return codeName(m.CodeFile(), m.DebugFile(), outcome, func() bool { return isProgram(d, i) })
}

// codeName is what the module of a path may be called: it looks like code, or is the
// program itself, or a symbol source has its symbols under that name.
func codeName(path, debug string, outcome symbolcache.Outcome, isProgram func() bool) string {
	name := minidump.BaseName(path)
	found := outcome == symbolcache.Found || outcome == symbolcache.FoundLossy
	switch {
	case name == "" || looksLikeCode(name), found && (debug == "" || stem(minidump.BaseName(debug)) == stem(name)):
		return name
	case len(name) <= maxCodeName && program.MatchString(name) && !home.MatchString(path) && isProgram():
		return name
	}
	return mappedFile
}

// stem is a file's name without its last ending.
func stem(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}

// isProgram tells whether module i is the program, which writers list first, or an
// image that a loader loaded: Apple's writers list no other files.
func isProgram(d *minidump.Dump, i int) bool {
	if d.System != nil && d.System.OS.Apple() {
		return true
	}
	return i == 0 && executable(d, &d.Modules[i])
}

// executable tells whether something of the module may be executed, as far as the
// dump says.
func executable(d *minidump.Dump, m *minidump.Module) bool {
	all := d.Mappings()
	for i := all.Index(m.Base); i < len(all) && all[i].First < m.End(); i++ {
		if all[i].Execute {
			return true
		}
	}
	return len(all) == 0
}

// debugName is what the file with a module's symbols may be called, when the module
// is called name.
func debugName(path, name string) string {
	debug := minidump.BaseName(path)
	switch {
	case debug == "" || debug == name && name != mappedFile, len(debug) <= maxCodeName && debugFile.MatchString(debug), looksLikeCode(debug):
		return debug
	}
	return mappedFile
}

// codeID is a module's build id, if it is one.
func codeID(id string) (_ string, ok bool) {
	if len(id) > 2*maxCodeID {
		return "", false
	}
	return id, true
}

var (
	kernelNumbers = regexp.MustCompile(`^[0-9]{1,10}(?:\.[0-9]{1,10}){0,3}(?:-[0-9]{1,5})?`)
	windowsBuild  = regexp.MustCompile(`^(?:Service Pack [0-9]{1,2}|[0-9]{1,6})$`)
	appleBuild    = regexp.MustCompile(`^[0-9]{2}[A-Z][0-9]{1,5}[a-z]?$`)
)

// osVersion is the numbers of a system's version. What stands around them is text of
// the machine: who built its kernel, where, and what its host is called.
func osVersion(s *minidump.SystemInfo) string {
	version := kernelNumbers.FindString(s.Version)
	switch {
	case s.OS == minidump.Windows && windowsBuild.MatchString(s.Build), s.OS.Apple() && appleBuild.MatchString(s.Build):
		return strings.TrimSpace(version + " " + s.Build)
	}
	return version
}

var (
	// A path in a repository, as symbols for many to read have it.
	vcsFile = regexp.MustCompile(`^(?:hg|git|svn|s3|cvs):[A-Za-z0-9.-]+(?:[:/][^:\\]*)?:[^:\\]+:[0-9A-Za-z.]*$`)
	// Roots below which paths are the same on every machine, or a build server's own.
	commonFile = regexp.MustCompile(`^/(?:rustc/[0-9a-f]{40}|usr/(?:include|src|lib)|build|builds|buildroot|__w)/`)
	// Folders of packages: what follows names a package.
	packages = regexp.MustCompile(`^.*[/\\](?:registry[/\\]src[/\\][^/\\]+|pkg[/\\]mod|rustlib[/\\]src[/\\]rust|node_modules|site-packages)[/\\]`)
	// The last folder of a path that is a root of sources.
	sourceRoot = regexp.MustCompile(`^.*[/\\]((?:src|source|sources|include)[/\\].*)$`)
	homeFolder = regexp.MustCompile(`(?i)(?:^|[/\\:])(?:home|users|documents and settings)[/\\]`)
	absolute   = regexp.MustCompile(`^(?:[/\\~]|[A-Za-z]:)`)
)

// sourceFile is the part of a source file's path that says nothing of the machine
// that compiled it: all of it when it is relative or lies in a repository, else what
// is below a known root, else its name.
func sourceFile(path string) string {
	if len(path) > maxKeptPath {
		return publicPath(path)
	}
	hash := maphash.String(sourceSeed, path)
	if public := sourceFiles.Get(hash, path); public != nil {
		return *public
	}
	if !sourceFiles.Wants(hash) {
		return publicPath(path)
	}
	path = strings.Clone(path) // it may be part of what is large
	public := publicPath(path)
	sourceFiles.Put(hash, &memo.Entry[string, string]{Key: path, Value: public})
	return public
}

// What is kept of paths, at most 8 MiB: the same files are in crash after crash, and to look
// at one took as long as to walk to its frame.
const (
	keptPaths   = 1 << 13
	maxKeptPath = 512 // bytes
)

var (
	sourceSeed  = maphash.MakeSeed()
	sourceFiles = memo.New[string, string](keptPaths)
)

func publicPath(path string) string {
	switch {
	case path == "", (vcsFile.MatchString(path) || commonFile.MatchString(path)) && !homeFolder.MatchString(path):
		return path
	}
	if root := packages.FindString(path); root != "" {
		return path[len(root):]
	}
	if !absolute.MatchString(path) && !homeFolder.MatchString(path) {
		return path
	}
	if m := sourceRoot.FindStringSubmatch(path); m != nil && !homeFolder.MatchString(m[1]) {
		return m[1]
	}
	return path[strings.LastIndexAny(path, `/\:`)+1:]
}
