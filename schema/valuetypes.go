package schema

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValueType is the shape that an annotation's value must have to be public.
// docs/annotations.md says what each lets pass, and why.
type ValueType string

// Types of annotation values. Each is as narrow as what clients send allows: a
// value that could be a sentence, a URL, a path, an address, a name of a machine or
// a secret is of none of them but text.
const (
	TypeProduct     ValueType = "product"      // a name that somebody chose for a product
	TypeVersion     ValueType = "version"      // numbers, and short words behind them
	TypeChannel     ValueType = "channel"      // a word or some, joined by hyphens
	TypeBuildID     ValueType = "build-id"     // digits, or a short hash
	TypeProcessType ValueType = "process-type" // words of letters, joined by hyphens
	TypePlatform    ValueType = "platform"     // one of those that there are
	TypeGUID        ValueType = "guid"         // in braces or not
	TypeLocale      ValueType = "locale"       // en-US, zh-Hant-TW
	TypeIdentifier  ValueType = "identifier"   // names in code, joined by ::
	TypeWord        ValueType = "word"         // one word of letters
	TypeHexID       ValueType = "hex-id"       // 0x and up to 8 hexadecimal digits: a number of a list
	TypeABI         ValueType = "abi"          // one of Android's
	TypeDecimal     ValueType = "decimal"
	TypeInteger     ValueType = "integer" // of 64 bits
	TypeBoolean     ValueType = "boolean" // 0, 1, true or false
	TypeText        ValueType = "text"    // anything; never public
)

// Sizes of values, in bytes but for a product's name, whose letters may take several.
const (
	maxProductRunes   = 64
	maxProductWords   = 8
	maxPlainWords     = 2  // of a product that is not written as a title
	maxProductSyllabs = 16 // letters of scripts that need no blanks, as Chinese
	maxVersionBytes   = 64
	maxChannelBytes   = 32
	maxProcessBytes   = 32
	maxIdentifier     = 128
)

// valueTypes decide whether a value is of a type.
var valueTypes = map[ValueType]func(string) bool{
	TypeProduct:     isProduct,
	TypeVersion:     isVersion,
	TypeChannel:     isChannel,
	TypeBuildID:     isBuildID,
	TypeProcessType: isProcessType,
	TypePlatform:    platform.MatchString,
	TypeGUID:        guid.MatchString,
	TypeLocale:      locale.MatchString,
	TypeIdentifier:  isIdentifier,
	TypeWord:        func(v string) bool { return word.MatchString(v) && !isRandom(v) },
	TypeHexID:       hexID.MatchString,
	TypeABI:         abi.MatchString,
	TypeDecimal:     decimal.MatchString,
	TypeInteger:     func(v string) bool { _, err := strconv.ParseInt(v, 10, 64); return err == nil && v[0] != '+' },
	TypeBoolean:     func(v string) bool { return v == "0" || v == "1" || v == "true" || v == "false" },
	TypeText:        func(string) bool { return true },
}

// Holds tells whether the value is of the type.
func (t ValueType) Holds(value string) bool {
	of, ok := valueTypes[t]
	return ok && of(value)
}

var (
	platform = regexp.MustCompile(`(?i)^(?:win(?:32|64|dows)?|linux|lin(?:32|64)|cros|chrome ?os|lacros|darwin|mac(?:os| ?os ?x)?|osx|ios|ipados|tvos|watchos|visionos|android|fuchsia|(?:free|open|net)bsd|sunos|solaris|aix|webos|tizen|ps[345]|xbox|switch|wasm)(?:[-_ ](?:x86|x64|x86_64|amd64|arm|arm64|aarch64|i[3-6]86|ia32|32|64))?$`)
	guid     = regexp.MustCompile(`^(?:[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|\{[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\})$`)
	locale   = regexp.MustCompile(`^[A-Za-z]{2,3}(?:[-_][A-Z][a-z]{3})?(?:[-_](?:[A-Za-z]{2}|[0-9]{3}))?(?:[-_](?:mac|posix|valencia|tarask|pinyin|1901|1996))?$`)
	decimal  = regexp.MustCompile(`^-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,3})?$`)
	hexID    = regexp.MustCompile(`^0[xX][0-9A-Fa-f]{1,8}$`)
	abi      = regexp.MustCompile(`^(?:armeabi(?:-v7a)?|arm64-v8a|x86(?:_64)?|mips(?:64)?|riscv64)$`)
	word     = regexp.MustCompile(`^[A-Za-z]{2,24}$`)

	buildID     = regexp.MustCompile(`^(?:[0-9]{1,14}|[0-9]{1,10}(?:\.[0-9]{1,10}){1,3}|[0-9a-f]{6,12}|[0-9A-F]{6,12})$`)
	channel     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+){0,3}$`)
	processType = regexp.MustCompile(`^(?:[A-Za-z][a-z]{1,15}|[A-Z]{2,5})(?:[-_](?:[A-Za-z][a-z]{1,15}|[A-Z]{2,5})){0,2}$`)
	identifier  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*){1,4}$`)

	// A version is numbers, words behind them, and perhaps something in brackets.
	version = regexp.MustCompile(`^(?:[vVrR]?[0-9]{1,10}(?:[.,][0-9]{1,10}|, [0-9]{1,10}){0,7}` +
		`(?:[-+._~]?[0-9A-Za-z]{1,16}){0,8}` +
		`(?: (?i:alpha|beta|rc|build|esr|lts|dev|nightly|canary|preview|patch|update|release|sp|r|b)(?: ?[0-9]{1,10})?){0,2}` +
		`(?: \([0-9A-Za-z.-]{1,16}(?: [0-9A-Za-z.-]{1,12})?\))?` +
		`|(?i:dev|development|nightly|canary|trunk|main|master|alpha|beta|unknown|debug|local))$`)
	versionWords  = regexp.MustCompile(`[0-9A-Za-z]+`)
	versionNumber = regexp.MustCompile(`^[0-9]{1,14}$`)
	versionWord   = regexp.MustCompile(`^(?:[0-9]{0,10}(?:[A-Za-z]?[a-z]{0,12}|[A-Z]{1,12})[0-9]{0,10})$`) // rc1, 8u412, 24H2
	shortHash     = regexp.MustCompile(`^g?[0-9a-f]{1,12}$`)

	label   = regexp.MustCompile(`^[a-z][a-z0-9]+$`)
	machine = regexp.MustCompile(`(?i)^(?:DESKTOP|LAPTOP|WIN)-[0-9A-Z]{6,}$`)
	digits  = regexp.MustCompile(`[0-9]{7}`)
)

// isVersion takes no host, address or random text for a version. Most versions are some
// numbers, which is seen without the rest.
func isVersion(v string) bool { return isNumbers(v) || isVersionOfWords(v) }

func isVersionOfWords(v string) bool {
	if len(v) > maxVersionBytes || !version.MatchString(v) || hasHost(v) || likeAddress(v) {
		return false
	}
	for _, w := range versionWords.FindAllString(v, -1) {
		if !versionNumber.MatchString(w) && !shortHash.MatchString(w) && (!versionWord.MatchString(w) || isRandom(w)) {
			return false
		}
	}
	return true
}

// isNumbers tells one to three numbers of at most ten digits with dots between them: four could
// be an address.
func isNumbers(v string) bool {
	const most, longest = 3, 10
	numbers, length := 1, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			if length++; length > longest {
				return false
			}
		case c == '.' && length > 0 && numbers < most:
			numbers, length = numbers+1, 0
		default:
			return false
		}
	}
	return length > 0
}

// stages are words between the dots of versions.
var stages = wordSet("alpha beta build canary dev final ga nightly post pre preview rc release snapshot stable")

// hasHost tells whether a version holds a host name: labels that are words, and no
// stages, one behind the other.
func hasHost(v string) bool {
	for _, piece := range strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune("-+_~ ()", c) }) {
		labels := strings.Split(strings.ToLower(piece), ".")
		words := 0
		for _, l := range labels {
			if label.MatchString(l) && !stages[l] {
				words++
			}
		}
		if words > 1 || len(labels) > 1 && hostEnds[labels[len(labels)-1]] {
			return true
		}
	}
	return false
}

// likeAddress tells an IPv4 address from a version of four numbers, where one can:
// networks of machines alone, and first numbers that versions do not reach.
func likeAddress(v string) bool {
	addr, err := netip.ParseAddr(v)
	if err != nil || !addr.Is4() {
		return false
	}
	b := addr.As4()
	return b[0] != 10 && addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || b[0] == 100 && b[1]&0xc0 == 64 || b[0] >= 160
}

func isChannel(v string) bool {
	return len(v) <= maxChannelBytes && channel.MatchString(v) && !digits.MatchString(v) && !machine.MatchString(v) &&
		!slices.ContainsFunc(splitWords(v), isRandom) && !isRandom(v)
}

func isBuildID(v string) bool { return buildID.MatchString(v) && !likeAddress(v) }

func isProcessType(v string) bool {
	return len(v) <= maxProcessBytes && processType.MatchString(v) && !machine.MatchString(v) && !slices.ContainsFunc(splitWords(v), isRandom)
}

func isIdentifier(v string) bool {
	return len(v) <= maxIdentifier && identifier.MatchString(v) && !slices.ContainsFunc(splitWords(v), isRandom)
}

func splitWords(v string) []string {
	return strings.FieldsFunc(v, func(c rune) bool { return c == '-' || c == '_' || c == ':' })
}

// joining are words that a title does not begin with a capital.
var joining = wordSet("a an and at by for from in of on or the to vs with & - – — + de del della der des di do du el en et für i il im la las le les los o og ou und van von y")

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// isProduct tells whether the value is a name that somebody could have chosen for a
// product: words of any script, few or written as a title.
func isProduct(v string) bool {
	if v == "" || len(v) > maxProductRunes*utf8.UTFMax || !utf8.ValidString(v) || utf8.RuneCountInString(v) > maxProductRunes {
		return false
	}
	first, _ := utf8.DecodeRuneInString(v)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) || strings.Contains(v, "..") || strings.Contains(v, "--") || digits.MatchString(v) {
		return false
	}
	letters, syllables, colons := 0, 0, 0
	for i, c := range v {
		switch {
		case unicode.IsLetter(c):
			letters++
			if !unicode.IsUpper(c) && !unicode.IsLower(c) {
				syllables++
			}
		case unicode.IsDigit(c), unicode.IsMark(c), strings.ContainsRune(" '’&.,!+-()#_·–—™®©²³", c):
		case c == ':': // as in a title: C:/ and a:b are none
			if colons++; colons > 1 || !strings.HasPrefix(v[i:], ": ") {
				return false
			}
		default:
			return false
		}
	}
	words := strings.Split(v, " ")
	if letters == 0 || syllables > maxProductSyllabs || len(words) > maxProductWords {
		return false
	}
	for _, w := range words {
		if w == "" || !isProductWord(w) || (colons > 0 || len(words) > maxPlainWords) && !inTitle(w) {
			return false
		}
	}
	return true
}

func isProductWord(w string) bool {
	bare := strings.Trim(w, "'’&.,!+-()#_·–—™®©:")
	if _, err := netip.ParseAddr(bare); err == nil || machine.MatchString(bare) || isHost(bare) {
		return false
	}
	return !isRandom(bare) && !slices.ContainsFunc(splitWords(bare), isRandom)
}

func inTitle(w string) bool {
	first, _ := utf8.DecodeRuneInString(w)
	return !unicode.IsLower(first) || joining[w]
}

// Labels that end names of machines, also where they begin with a capital.
var hostEnds = wordSet("arpa com corp edu example gov home info int internal intranet invalid lan local localdomain localhost mil net onion org test")

// isHost tells whether a word could be a host name: labels with a last one of
// letters. Names of products such as Node.js and Paint.NET have two labels and a
// capital.
func isHost(w string) bool {
	labels := strings.Split(w, ".")
	last := labels[len(labels)-1]
	if len(labels) < 2 || !word.MatchString(last) {
		return false
	}
	return len(labels) > 2 || hostEnds[strings.ToLower(last)] && last != "NET" || w == strings.ToLower(w)
}

// isRandom tells whether a word looks as if a generator had made it: as a token, a
// key or a password. Short ones cannot be told from words.
func isRandom(w string) bool {
	var flips, humps, heads, letters, numbers, hex, consonants, longest int
	var earlier, before rune
	for _, c := range w {
		isLetter, isDigit := c < 0x80 && unicode.IsLetter(c), c >= '0' && c <= '9'
		wasLetter, wasDigit := before < 0x80 && unicode.IsLetter(before), before >= '0' && before <= '9'
		if isLetter {
			letters++
		}
		if isDigit {
			numbers++
		}
		if isDigit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			hex++
		}
		if isLetter && wasDigit || isDigit && wasLetter {
			flips++
		}
		if unicode.IsUpper(c) && unicode.IsLower(before) {
			humps++
		}
		if consonants++; !isLetter || strings.ContainsRune("aeiouyAEIOUY", c) {
			consonants = 0
		}
		if unicode.IsLower(c) && unicode.IsUpper(before) && unicode.IsUpper(earlier) {
			heads++ // of a word behind capitals
		}
		longest = max(longest, consonants)
		earlier, before = before, c
	}
	n := letters + numbers
	score := flips + humps + heads // "OpenGLES3Renderer" has 3
	switch {
	case n >= 8 && flips > 0 && score >= 4, n >= 12 && score >= 4 && score*6 > n, n >= 20 && numbers > 1 && letters > 0, n >= 12 && hex == n && numbers > 0:
		return true
	case n >= 10 && humps*4 > n, n >= 14 && longest >= 7, n >= 8 && longest == n, n > 40:
		return true
	}
	return false
}
