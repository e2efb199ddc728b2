package schema

import (
	"strings"
	"testing"
)

// Each rule of isRandom alone, at its limit and just beside it.
func TestAWordLooksGeneratedAtTheLimits(t *testing.T) {
	o := func(n int) string { return strings.Repeat("o", n) }
	for rule, tc := range map[string]struct{ generated, word string }{
		"letters and digits in turns, in eight characters": {"a1a1a" + o(3), "a1a1a" + o(2)},
		"four turns":                             {"a0a9a" + o(3), o(4) + "a0a9"},
		"a turn among them":                      {"oPoPoPo1", "oPoPoPoPo"},
		"no turn before the first letter":        {"1a1a1a" + o(2), "1234" + o(5)},
		"a turn from a letter":                   {"a1ooa1a1", "a1ooa123"},
		"words behind capitals, in twelve":       {"OPoOPoOP" + o(4), "OPoOPoOP" + o(3)},
		"four of them":                           {"OPooPooPooPo", "OPoOP" + o(7)},
		"more than one in six":                   {"OPooPooPooPo" + o(11), "OPooPooPooPo" + o(12)},
		"two digits, in twenty":                  {o(18) + "12", o(17) + "12"},
		"more than one digit":                    {o(18) + "12", o(19) + "1"},
		"one letter among digits":                {"z1234567890123456789", "z12345678901"},
		"hexadecimal, in twelve":                 {"deadbeeface1", "deadbeefac1"},
		"nothing but hexadecimal":                {"abcdefABCDEF09", "abcdefABCDEFo9"},
		"a digit in it":                          {"deadbeeface1", "deadbeefacee"},
		"humps, in ten":                          {"oPooPoP" + o(3), "oPooPoP" + o(2)},
		"more than one in four":                  {"oPooPoP" + o(3), "oPooPoP" + o(5)},
		"seven consonants, in fourteen":          {"bcdfghj" + o(7), "bcdfghj" + o(6)},
		"seven and no less, also behind a vowel": {o(7) + "bcdfghj", o(8) + "bcdfgh"},
		"in a row":                               {o(7) + "BCDFGHJ", "bcd" + o(8) + "fghj"},
		"nothing but consonants, in eight":       {"bcdfghjk", "bcdfghj"},
		"nothing but consonants":                 {"bcdfghjk", "bcdfghyk"},
		"more than forty":                        {o(41), o(40)},
		"letters and digits alone are counted":   {o(41), o(40) + "-.äж"},
		"letters of other scripts make no turns": {"a1a1a" + o(3), "ä1ä1ä1ä1ä" + o(8)},
	} {
		t.Run(rule, func(t *testing.T) {
			if !isRandom(tc.generated) {
				t.Errorf("%q looks like a word", tc.generated)
			}
			if isRandom(tc.word) {
				t.Errorf("%q looks generated", tc.word)
			}
		})
	}
}

func TestOnlyAnIPv4AddressIsLikeAVersion(t *testing.T) {
	for _, v := range []string{"fe80::1", "::ffff:192.168.1.1", "192.168.1", "192.168.1.1.1", ""} {
		if likeAddress(v) {
			t.Errorf("%q could be a version", v)
		}
	}
}
