package symboldump

import "testing"

func TestNamesAreDemangledWithoutReturnTypeAndClones(t *testing.T) {
	for raw, want := range map[string]string{
		"main":                          "main",
		"_ZN3foo3barEi":                 "foo::bar(int)",
		"_ZN3foo3barIiEEvT_":            "foo::bar<int>(int)",
		"_ZNK3foo3barIiEEbv":            "foo::bar<int>() const",
		"__ZN3foo3barEi":                "foo::bar(int)",
		"hello.constprop.0.isra.0":      "hello",
		"hello.cold":                    "hello",
		"hello.str.158.llvm.1786438672": "hello",
		"hello [clone .constprop.0] [clone .isra.0] [clone .cold]": "hello",
		"hello [clone foo][bar]":                                   "hello [clone foo][bar]",
		"hello.12":                                                 "hello.12",
		"_ZN3foo3barEi.cold":                                       "foo::bar(int)",
		"_ZN4core3ptr13drop_in_place17h0123456789abcdefE":          "core::ptr::drop_in_place",
		"_RNvCs1234_7mycrate3foo":                                  "mycrate::foo",
		"_Zthis is no name":                                        "_Zthis is no name",
		"a\nb":                                                     "a_b",
	} {
		var report Report
		if got := symbolName([]byte(raw), &report); got != want {
			t.Errorf("%s: have %q, want %q", raw, got, want)
		}
	}
}
