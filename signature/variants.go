package signature

import (
	"regexp"
	"strings"

	"github.com/ianlancetaylor/demangle"

	"aftershock/signature/msvc"
)

// Compilers and libraries give one function many names. The switches here make
// one of them; all are off in Socorro's rulesets, whose names stay as they are.

// switches are behaviours beyond Socorro's.
type switches struct {
	// coarseAddresses calls every address outside all modules @unmapped, but
	// those near zero.
	coarseAddresses bool
	// demangle decodes names that arrive mangled, as they do from PUBLIC records
	// and symbol tables: _ZN3foo3barEv, _RNvC3foo3bar, ?bar@foo@@YAXXZ.
	demangle bool
	// aliases takes glibc's names for its own use of its functions, and for their
	// copies for one processor, for those functions: __GI_abort is abort,
	// __libc_malloc is malloc, __strlen_evex is strlen.
	aliases bool
	// clones drops what compilers append to parts and copies of a function:
	// f.part.0, f [clone .isra.3], f.cold, f.llvm.123.
	clones bool
	// closures drops the numbers of lambdas, closures and blocks: one more in
	// the function above must not give a new name.
	closures bool
	// recursion takes a stack that is nothing but one cycle of calls for that
	// cycle, beginning with the same function wherever the stack ended, and says
	// so: the same function can crash for other reasons.
	recursion bool
	// bitFlips marks crashes that look like the machine's fault, so that they do
	// not count as the program's.
	bitFlips bool
	// jvmLines drops the line of a Java stack's method in every language, as
	// siggen does for .java alone: a line moves with every release.
	jvmLines bool
	// goMethods leaves Go's methods of pointers as they are: for a name of C++,
	// main.(*Tree).Pick has arguments in its middle.
	goMethods bool
	// doubtfulNames takes the place in the module, libc.so.6@0x8aeec, where the
	// function's name may be wrong.
	doubtfulNames bool
	// emptySentinels lets a sentinel cut nothing off when nothing from it on names the crash.
	emptySentinels bool
	// probability skips frames that are less likely true; 0 skips none.
	probability float64
}

func (s *switches) byName() map[string]*bool {
	return map[string]*bool{
		"coarse_addresses": &s.coarseAddresses,
		"demangle":         &s.demangle,
		"aliases":          &s.aliases,
		"clones":           &s.clones,
		"closures":         &s.closures,
		"recursion":        &s.recursion,
		"bit_flips":        &s.bitFlips,
		"jvm_lines":        &s.jvmLines,
		"go_methods":       &s.goMethods,
		"doubtful_names":   &s.doubtfulNames,
		"empty_sentinels":  &s.emptySentinels,
	}
}

var (
	cloneSuffix = regexp.MustCompile(`(?: ?\[clone )?\.(?:part|isra|constprop|cold|cold_part|llvm|lto_priv|localalias|_omp_fn)(?:\.[0-9]+)*\]?$`)
	// closureName is a closure as C++ (of gcc, clang and MSVC), Rust and Swift
	// name it. Arguments are gone by now.
	closureName = regexp.MustCompile(`\{\{?(?:lambda|closure(?:_env)?)(?:\(\))?(?:#[0-9]+)?\}?\}|'lambda[0-9]*'|<lambda_[0-9a-f]+>|\$_[0-9]+|closure(?:_env)?\$[0-9]+|closure #[0-9]+ in`)
	goClosure   = regexp.MustCompile(`\.(?:func|gowrap)[0-9]+(?:\.[0-9]+)*`)
	block       = regexp.MustCompile(`^_*(?:[0-9]+)?([-+]\[.*\]|[A-Za-z_]\w*)_block_invoke(?:[._][0-9]+)*$`)
)

const closure = "{closure}"

// rewrite applies the switches that come before normalising.
func (s *switches) rewrite(language kind, function string) (kind, string) {
	if s.clones {
		function = dropCloneSuffixes(function)
	}
	if s.demangle {
		language, function = demangled(language, function)
	}
	if s.aliases {
		function = strings.TrimPrefix(function, "__GI_")
		function = glibcAlias.ReplaceAllString(function, "$1$2")
	}
	if s.closures {
		function = msvcLambda.ReplaceAllLiteralString(function, closure)
	}
	return language, function
}

// keeps tells whether a function's text is its name already.
func (s *switches) keeps(function string) bool {
	return s.goMethods && strings.Contains(function, ".(*") && goMethod.MatchString(function)
}

var goMethod = regexp.MustCompile(`^[\w./%~-]+\.\(\*\w+(?:\[\.\.\.\])?\)(?:\.[\w-]+)+(?:\[\.\.\.\])?(?:\.[\w-]+)*$`)

var glibcAlias = regexp.MustCompile(`^__(?:libc_)?(malloc|calloc|realloc|free|memalign|abort|raise)$|` +
	`^__((?:mem|str|stp|wcs|wmem|rawmem)[a-z0-9]*(?:_l)?(?:_chk)?)_(?:evex|avx|sse|ssse|erms|generic|neon|falkor|thunderx|kunpeng|a64fx|mops|sve)\w*$`)

var msvcLambda = regexp.MustCompile(`<lambda_[0-9a-f]+>`)

func dropCloneSuffixes(function string) string {
	for strings.Contains(function, ".") {
		at := cloneSuffix.FindStringIndex(function)
		if at == nil || at[0] == 0 {
			break
		}
		function = function[:at[0]]
	}
	return function
}

// maxDemangled bounds, as a power of two, how long a demangled name may become:
// names can expand without end.
const maxDemangled = 14

// demangled decodes a name of Itanium's C++ ABI, of Microsoft's compiler or of
// Rust's; others stay.
func demangled(language kind, function string) (kind, string) {
	if strings.HasPrefix(function, "?") {
		if text, err := msvc.Name(function); err == nil {
			return language, text
		}
		return language, function
	}
	name := function
	if strings.HasPrefix(name, "__Z") || strings.HasPrefix(name, "__R") { // Mach-O
		name = name[1:]
	}
	if !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "_R") {
		return language, function
	}
	text, err := demangle.ToString(name, demangle.NoClones, demangle.MaxLength(maxDemangled))
	if err != nil {
		return language, function
	}
	if strings.HasPrefix(name, "_R") || legacyRust.MatchString(name) {
		language = rust
	}
	return language, text
}

var legacyRust = regexp.MustCompile(`^_ZN.*17h[0-9a-f]{16}E`)

// stableClosures gives every closure one name.
func stableClosures(name string) string {
	if m := block.FindStringSubmatch(name); m != nil {
		return m[1] + "::" + closure
	}
	name = closureName.ReplaceAllLiteralString(name, closure)
	name = strings.ReplaceAll(name, "::$::", "::"+closure+"::")
	name = strings.ReplaceAll(name, " const::"+closure, "::"+closure)
	name = strings.ReplaceAll(name, closure+"::operator()", closure)
	if !strings.Contains(name, "::") {
		name = goClosure.ReplaceAllLiteralString(name, ".func")
	}
	return name
}

// Bounds of a recursion: how many functions call each other, and how many calls
// of others may stand on top when the stack is exhausted.
const (
	maxCycle = 8
	maxLeaf  = 4
)

// recursion returns the cycle of calls that fills the list of frames to its
// end, at least three times, beginning with the least name. nil when there is
// none: a list that is not full is no runaway recursion.
func recursion(frames []*name) []*name {
	if len(frames) < maxFrames {
		return nil
	}
	for leaf := range maxLeaf + 1 {
		for size := 1; size <= maxCycle; size++ {
			if run := frames[leaf:]; repeats(run, size) {
				return leastFirst(run[:size])
			}
		}
	}
	return nil
}

func repeats(frames []*name, size int) bool {
	for i := size; i < len(frames); i++ {
		if frames[i].text != frames[i-size].text {
			return false
		}
	}
	return true
}

func leastFirst(cycle []*name) []*name {
	least := 0
	for i := range cycle {
		if cycle[i].text < cycle[least].text {
			least = i
		}
	}
	return append(append([]*name(nil), cycle[least:]...), cycle[:least]...)
}
