package generate

import (
	"fmt"
	"strings"

	"aftershock/facts"
	"aftershock/schema"
)

// modulesWanted is how many modules a program has loaded.
const modulesWanted = 60

// own are the modules of the programs by product, the program itself first, and the library
// that most of it is in second. The suffixes of each platform are put behind.
var own = [...][]string{
	orchard:  {"orchard", "orchardcore", "rootstock", "grafting", "windfall", "cider", "pollen", "espalier"},
	tidepool: {"tidepool", "tidecore", "barnacle", "kelp"},
	mobile:   {"orchardmobile", "orchardcore", "rootstock", "windfall", "pollen"},
}

// The systems' modules, and without symbols those of others. The rest up to modulesWanted
// are numbered libraries of the system.
var (
	systemModules = [platforms][]string{
		windows: strings.Fields("ntdll.dll kernel32.dll KERNELBASE.dll ucrtbase.dll user32.dll win32u.dll gdi32.dll gdi32full.dll msvcp_win.dll combase.dll rpcrt4.dll advapi32.dll sechost.dll ole32.dll oleaut32.dll shell32.dll shlwapi.dll ws2_32.dll crypt32.dll bcrypt.dll dbghelp.dll version.dll winmm.dll dwmapi.dll uxtheme.dll d3d11.dll dxgi.dll msctf.dll propsys.dll mswsock.dll dnsapi.dll iphlpapi.dll wintrust.dll setupapi.dll cfgmgr32.dll powrprof.dll imm32.dll vcruntime140.dll msvcp140.dll profapi.dll"),
		mac:     strings.Fields("dyld libsystem_kernel.dylib libsystem_pthread.dylib libsystem_c.dylib libsystem_malloc.dylib libsystem_platform.dylib libc++abi.dylib libc++.1.dylib libobjc.A.dylib libdispatch.dylib CoreFoundation Foundation AppKit HIToolbox CoreGraphics QuartzCore Metal Security CFNetwork IOKit"),
		linux:   strings.Fields("ld-linux-x86-64.so.2 libc.so.6 libstdc++.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 libglib-2.0.so.0 libgobject-2.0.so.0 libgtk-3.so.0 libgdk-3.so.0 libcairo.so.2 libpango-1.0.so.0 libX11.so.6 libxcb.so.1 libdbus-1.so.3 libasound.so.2 libfontconfig.so.1 libfreetype.so.6 libwayland-client.so.0"),
		android: strings.Fields("app_process64 libc.so libm.so libc++.so libart.so libandroid_runtime.so libbinder.so libutils.so liblog.so libhwui.so libgui.so libEGL.so libGLESv2.so libssl.so libcrypto.so boot-framework.oat"),
		ios:     strings.Fields("dyld libsystem_kernel.dylib libsystem_pthread.dylib libsystem_c.dylib libsystem_malloc.dylib libsystem_platform.dylib libc++abi.dylib libobjc.A.dylib libdispatch.dylib CoreFoundation Foundation UIKitCore QuartzCore Metal Security CFNetwork GraphicsServices"),
	}
	otherModules = [platforms][]string{
		windows: {"nvwgf2umx.dll", "igd10iumd64.dll", "atidxx64.dll", "guardhook64.dll", "tipskins.dll"},
		mac:     {"MouseExtras.bundle", "libGuard.dylib"},
		linux:   {"libnvidia-glcore.so.550.120", "libGLX_vendor.so.0", "im-extra.so"},
		android: {"libGLESv2_adreno.so", "libmali.so", "libvendorhook.so"},
		ios:     {"libExtras.dylib"},
	}
	numbered     = [platforms]string{"sysext%02d.dll", "SystemExtra%02d", "libextra-%02d.so.1", "libvendor%02d.so", "SystemExtra%02d"}
	programEnds  = [platforms]string{".exe", "", "", "", ""}
	libraryNames = [platforms]string{"%s.dll", "lib%s.dylib", "lib%s.so", "lib%s.so", "lib%s.dylib"}
	directories  = [platforms][2]string{
		{`C:\Users\` + Marker + `\AppData\Local\`, `C:\Windows\System32\`},
		{"/Users/" + Marker + "/Applications/", "/usr/lib/"},
		{"/home/" + Marker + "/bin/", "/usr/lib/x86_64-linux-gnu/"},
		{"/data/user/0/app.orchard." + Marker + "/lib/", "/system/lib64/"},
		{"/private/var/containers/" + Marker + "/", "/usr/lib/"},
	}
)

// moduleNames are the modules of a product on a platform.
func moduleNames(product int, p platform) (names []string, ownOnes int) {
	for i, name := range own[product] {
		if i == 0 {
			names = append(names, name+programEnds[p])
			continue
		}
		names = append(names, fmt.Sprintf(libraryNames[p], name))
	}
	ownOnes = len(names)
	names = append(append(names, systemModules[p]...), otherModules[p]...)
	for i := 0; len(names) < modulesWanted; i++ {
		names = append(names, fmt.Sprintf(numbered[p], i))
	}
	return names, ownOnes
}

// moduleSet are the modules of a build on a release of a system.
type moduleSet struct {
	modules []schema.Module
	bases   []uint64
	inStack []string // how facts name each as one of a stack
	gone    []schema.UnloadedModule
	of      schema.Facts // what they give, without those in the stack
}

// moduleSet is made when it is first needed.
func (g *Crashes) moduleSet(b *build, at int) *moduleSet {
	slot := &g.sets[b.number*len(releases)+at]
	if set := slot.Load(); set != nil {
		return set
	}
	set := g.newModuleSet(b, &releases[at], at)
	slot.Store(set)
	return set
}

// Modules have at most maxModuleBytes, and lie as far apart. In the least there is room for
// every function, wherever it moves to.
const (
	leastModuleBytes = 12 << 20
	maxModuleBytes   = 32 << 20
)

// baseOf is where a module lies: in every process at the same address.
func baseOf(module, digits int) uint64 {
	if digits == 8 {
		return 0x0a00_0000 + uint64(module)*maxModuleBytes
	}
	return 0x7ff6_1000_0000 + uint64(module)*maxModuleBytes
}

func (g *Crashes) newModuleSet(b *build, r *release, at int) *moduleSet {
	product := lines[b.line].product
	names, ownOnes := moduleNames(product, r.platform)
	digits, others := r.digits(), otherModules[r.platform]
	set := &moduleSet{}
	for i, name := range names {
		base := baseOf(i, digits)
		// A module of the program is another one in each build, one of the system in each release.
		s := streamOf(uint64(at), ofModule, uint64(i))
		version, directory := r.version, directories[r.platform][1]
		if i < ownOnes {
			s = streamOf(uint64(b.number)<<8+uint64(r.platform)+uint64(digits)<<4, ofModule, uint64(i))
			version, directory = b.version, directories[r.platform][0]
		}
		if r.platform != windows && r.platform != mac {
			version = ""
		}
		m := schema.Module{
			Filename: name, Path: directory + name, Base: hexWord(base, digits), Size: int64(s.between(leastModuleBytes>>12, maxModuleBytes>>12)) << 12, Version: version,
			CodeID: fmt.Sprintf("%016x", s.next()), DebugFile: debugFile(name), DebugID: fmt.Sprintf("%016X%016X%x", s.next(), s.next(), s.below(16)), Symbols: "unused",
		}
		switch position := i - ownOnes - len(systemModules[r.platform]); {
		case position < 0 && (i < ownOnes || s.chance(0.4)):
			m.Symbols, m.SymbolsSHA256 = "found", fmt.Sprintf("%016x%016x%016x%016x", s.next(), s.next(), s.next(), s.next())
		case position >= 0 && position < len(others):
			m.Symbols = "missing"
		}
		set.modules, set.bases = append(set.modules, m), append(set.bases, base)
		set.inStack = append(set.inStack, m.Filename+"/"+m.DebugID)
	}
	if r.platform == windows {
		set.gone = []schema.UnloadedModule{{Filename: "updater.dll", Path: directories[windows][0] + "updater.dll", Base: hexWord(baseOf(len(names), digits), digits), Size: 1 << 20, CodeID: "5f1c00001000"}}
	}
	c := &schema.ProcessedCrash{Modules: set.modules, UnloadedModules: set.gone, Dumps: []schema.DumpSummary{{Name: schema.MainDump}}}
	set.of = *facts.Derive(facts.Input{Crash: c, Registry: g.registry}).Public
	return set
}

// debugFile is what a module's symbols are called.
func debugFile(name string) string {
	if stem, ok := strings.CutSuffix(name, ".dll"); ok {
		return stem + ".pdb"
	}
	if stem, ok := strings.CutSuffix(name, ".exe"); ok {
		return stem + ".pdb"
	}
	return name
}

// hexWord is an address with 0x and a number of digits.
func hexWord(address uint64, digits int) string { return fmt.Sprintf("0x%0*x", digits, address) }

// appendHex is hexWord behind other text.
func appendHex(to []byte, address uint64, digits int) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '0', 'x')
	for i := digits - 1; i >= 0; i-- {
		to = append(to, hex[address>>(4*i)&0xf])
	}
	return to
}
