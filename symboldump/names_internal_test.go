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
		"_ZN3std3sys9backtrace28__rust_begin_short_backtrace17h0123456789abcdefE":                                    "std::sys::backtrace::__rust_begin_short_backtrace",
		"_ZN61_$LT$dyn$u20$core..fmt..Write$u20$as$u20$core..fmt..Write$GT$9write_str17h0123456789abcdefE.12":        "<dyn core::fmt::Write as core::fmt::Write>::write_str.12",
		"_RNCINvNtNtCsjrHSEGnQ3l9_3std6thread7current17with_current_nameNCNCNvNtB8_9panicking12default_hook00uE0B8_": "std::thread::current::with_current_name::<std::panicking::default_hook::{closure#0}::{closure#0}, ()>::{closure#0}",
		"_RNCNCNvNtCs1_3std2rt19lang_start_internal0s_0B5_":                                                          "std::rt::lang_start_internal::{closure#0}::{closure#1}",
		"_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE":                                                      "std::mem::align_of::<std::mem::Discriminant>",
		"_RINvMNtC4core6optionINtB3_6OptionuE3mapuKj2a_Lb1_E":                                                        "_RINvMNtC4core6optionINtB3_6OptionuE3mapuKj2a_Lb1_E",
		"_RINvC7mycrate3fooRL_eTuEDNtNtC4core3any3AnyEL_Kj2a_FKCjEuE":                                                "mycrate::foo::<&str, ((),), dyn core::any::Any, 42, extern \"C\" fn(usize)>",
		"_RNvXs_C7mycrateNtB4_1TNtNtC4core3fmt5Debug3fmt":                                                            "<mycrate::T as core::fmt::Debug>::fmt",
		"_RNvCs1234_7mycrate3foo": "mycrate::foo",
		"_Zthis is no name":       "_Zthis is no name",
		"a\nb":                    "a_b",
		"\xff\n\xfe":              "\xff_\xfe",
	} {
		var report Report
		if got := symbolName([]byte(raw), &report); got != want {
			t.Errorf("%s: have %q, want %q", raw, got, want)
		}
	}
}
