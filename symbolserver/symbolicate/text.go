package symbolicate

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. What is no UTF-8 becomes U+FFFD.
func appendString(b []byte, text string) []byte {
	return append(appendEscaped(append(b, '"'), []byte(text)), '"')
}

// appendEscaped appends what stands between the quotes.
func appendEscaped(b, text []byte) []byte {
	for {
		n := plain(text)
		b = append(b, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			return b
		}
		switch c := text[0]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			r, size := utf8.DecodeRune(text)
			b = utf8.AppendRune(b, r)
			text = text[size-1:]
		}
		text = text[1:]
	}
}

// plain is how many bytes in front stand for themselves in a JSON string: ASCII
// without quotes, backslashes and control characters. It looks at eight at a time, as
// the numbers of a word; the highest bit of each number tells that it is none of
// them.
func plain(text []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(text[n:])
		if odd := w | (w - ' '*ones) | (w ^ '"'*ones - ones) | (w ^ '\\'*ones - ones); odd&high != 0 {
			break
		}
	}
	for ; n < len(text); n++ {
		if c := text[n]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return n
}

// appendHex appends 0x and the digits.
func appendHex(b []byte, v uint64) []byte {
	return strconv.AppendUint(append(b, "0x"...), v, 16)
}

// appendOffset appends a frame's offset, as a JSON string's content.
func appendOffset(b []byte, f frame) []byte {
	if f.below {
		return append(b, "-0x1"...)
	}
	return appendHex(b, f.offset)
}
