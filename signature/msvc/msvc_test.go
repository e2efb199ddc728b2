package msvc

import (
	"strings"
	"testing"
)

// TestName has names of programs and of the grammar's corners. llvm-undname 14
// says the same of them, with types.
func TestName(t *testing.T) {
	for mangled, want := range map[string]string{
		`?f@@YAXXZ`: `f`,
		`?push_back@?$vector@HV?$allocator@H@std@@@std@@QEAAXAEBH@Z`: `std::vector<int,std::allocator<int>>::push_back`,
		`??0Foo@ns@@QEAA@XZ`:   `ns::Foo::Foo`,
		`??1Foo@ns@@UEAA@XZ`:   `ns::Foo::~Foo`,
		`??_GFoo@@UEAAPEAXI@Z`: "Foo::`scalar deleting dtor'",
		`??_EFoo@@UEAAPEAXI@Z`: "Foo::`vector deleting dtor'",
		`??2@YAPEAX_K@Z`:       `operator new`,
		`??3@YAXPEAX@Z`:        `operator delete`,
		`??_U@YAPEAX_K@Z`:      `operator new[]`,
		`??_V@YAXPEAX@Z`:       `operator delete[]`,
		`??BFoo@@QEBAHXZ`:      `Foo::operator int`,
		`??BFoo@@QEBAPEBDXZ`:   `Foo::operator char const *`,
		`??Bstr@@QEBA?AV?$basic_string@DU?$char_traits@D@std@@V?$allocator@D@2@@std@@XZ`: `str::operator std::basic_string<char,std::char_traits<char>,std::allocator<char>>`,
		`??HFoo@@QEBA?AV0@AEBV0@@Z`:    `Foo::operator+`,
		`??RFoo@@QEAAXXZ`:              `Foo::operator()`,
		`??4Foo@@QEAAAEAV0@$$QEAV0@@Z`: `Foo::operator=`,
		`??$max@H@std@@YAAEBHAEBH0@Z`:  `std::max<int>`,
		`??$make_unique@VFoo@@$$V$0A@@std@@YA?AV?$unique_ptr@VFoo@@U?$default_delete@VFoo@@@std@@@0@XZ`: `std::make_unique<Foo,0>`,
		`?x@?1??f@@YAXXZ@4HA`:                                    "`f'::x",
		`?g@?A0x1a2b3c4d@@YAXXZ`:                                 "`anonymous namespace'::g",
		`?g@?A@@YAXXZ`:                                           "`anonymous namespace'::g",
		`??R<lambda_0>@?0??foo@@YAXXZ@QEBA@XZ`:                   "`foo'::<lambda_0>::operator()",
		`??R<lambda_d4aef1b3a1c5f1b1e1f1a1b1c1d1e1f1>@@QEBAXH@Z`: `<lambda_d4aef1b3a1c5f1b1e1f1a1b1c1d1e1f1>::operator()`,
		`?swap@?$basic_string@DU?$char_traits@D@std@@V?$allocator@D@2@@std@@QEAAXAEAV12@@Z`: `std::basic_string<char,std::char_traits<char>,std::allocator<char>>::swap`,
		`?cb@@YAXP6AHPEAX@Z@Z`:    `cb`,
		`?m@@YAXP8Foo@@EAAHH@Z@Z`: `m`,
		`?d@@YAXPEQFoo@@H@Z`:      `d`,
		`?arr@@YAXAEAY09H@Z`:      `arr`,
		`?arr2@@YAXPEAY124H@Z`:    `arr2`,
		`?e@@YAXW4Color@ns@@@Z`:   `e`,
		`?v@Foo@@SAXXZ`:           `Foo::v`,
		`?p@Foo@@AEAAXXZ`:         `Foo::p`,
		`?q@Foo@@IEAAXXZ`:         `Foo::q`,
		`?t@Foo@@W7EAAXXZ`:        `Foo::t`,
		`??_7Foo@@6B@`:            "Foo::`vftable'",
		`??_R4Foo@@6B@`:           "Foo::`RTTI Complete Object Locator'",
		`?s@Foo@@2HA`:             `Foo::s`,
		`?global@@3PEAHEA`:        `global`,
		`?printf@@YAHPEBDZZ`:      `printf`,
		`??$get@$0A@HH@std@@YAAEAHAEAV?$tuple@HH@0@@Z`: `std::get<0,int,int>`,
		`??$f@$0?0@@YAXXZ`:                          `f<-1>`,
		`??$g@$1?h@@YAXXZ@@YAXXZ`:                   `g<&h>`,
		`??__Efoo@@YAXXZ`:                           "`dynamic initializer for 'foo'",
		`??__Ffoo@@YAXXZ`:                           "`dynamic atexit destructor for 'foo'",
		`??__E?foo@ns@@3HA@@YAXXZ`:                  "`dynamic initializer for 'ns::foo'",
		`??__K_km@@YA?AVD@@_K@Z`:                    `operator "" _km`,
		`??_L@YAXPEAX_K1P6AX0@Z2@Z`:                 "`eh vector ctor iterator'",
		`?f@?$A@$$CBH@@QEAAXXZ`:                     `A<int const>::f`,
		`?f@?$A@$$A6AHH@Z@@QEAAXXZ`:                 `A<int (int)>::f`,
		`?f@?$A@$$BY02H@@QEAAXXZ`:                   `A<int[3]>::f`,
		`?f@?$A@$$T@@QEAAXXZ`:                       `A<std::nullptr_t>::f`,
		`?name@a@b@c@d@@YAXUs@1@V1234@0@Z`:          `d::c::b::a::name`,
		`?w@@YAX_N_W_JPEB_W@Z`:                      `w`,
		`?Invoke@?$MemberFn@P8Foo@@EAAXXZ@@QEAAXXZ`: `MemberFn<void () Foo::*>::Invoke`,
		`?f@@YAXPAH@Z`:                              `f`,
		`?f@Foo@@QAEXH@Z`:                           `Foo::f`,
		`??0?$basic_string@DU?$char_traits@D@std@@V?$allocator@D@2@@std@@QEAA@QEBD@Z`: `std::basic_string<char,std::char_traits<char>,std::allocator<char>>::basic_string`,
		`?what@exception@std@@UEBAPEBDXZ`:                                             `std::exception::what`,
		`?f@Foo@@QEGAAXXZ`:                                                            `Foo::f`,
		`?f@Foo@@QEHAAXXZ`:                                                            `Foo::f`,
		`?Run@?$Bind@$$A6AXV?$scoped_refptr@VTask@@@@@Z@base@@QEAAXXZ`:                `base::Bind<void (scoped_refptr<Task>)>::Run`,
		`??__M@YA?AUstrong_ordering@std@@AEBUA@@0@Z`:                                  `operator<=>`,
		`?f@@YAXV?$tuple@$$V@std@@@Z`:                                                 `f`,
		`??$call@AEAV<lambda_1>@?0??run@@YAXXZ@@@YAXAEAV<lambda_1>@?0??run@@YAXXZ@@Z`: "call<`run'::<lambda_1> &>",
		`??1?$scoped_ptr@V?$map@HV?$vector@V?$basic_string@DU?$char_traits@D@std@@V?$allocator@D@2@@std@@V?$allocator@V?$basic_string@DU?$char_traits@D@std@@V?$allocator@D@2@@std@@@2@@std@@@std@@@@QEAA@XZ`: `scoped_ptr<std::map<int,std::vector<std::basic_string<char,std::char_traits<char>,std::allocator<char>>,std::allocator<std::basic_string<char,std::char_traits<char>,std::allocator<char>>>>>>::~scoped_ptr`,
		`?f@@YAXPEIAH@Z`: `f`,
		`?f@@YAXPEFAH@Z`: `f`,
		`?f@@YA?BHXZ`:    `f`,
	} {
		if got, err := Name(mangled); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", mangled, got, err, want)
		}
	}
}

func TestWhatIsNoName(t *testing.T) {
	for _, text := range []string{
		"", "?", "f", "_Z1fv", "??", "?f", "?f@", "?@", "??@c9a4e1f6@", "?f@1@YAXXZ", "?0f@@", "??0@QEAA@XZ", "??_zFoo@@", "?f@?$a@Y@@YAXXZ", "?f@?$a@9@@YAXXZ",
		"?f@?A0x1", "?x@?1?f@@4HA", "??BFoo@@", "??BFoo@@QEBAZXZ", "?f@?$a@$09", "?f@?$a@$0AB", "?f@?$a@P6@@YAXXZ", "?f@?$a@W", "?f@?$a@Y0?@@YAXXZ",
		"?f@?$a@$0PPPPPPPPPPPPPPPPP@@@YAXXZ", "?f?g@@YAXXZ",
	} {
		if got, err := Name(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestLimits(t *testing.T) {
	scopes := func(n int) string { return "?f" + strings.Repeat("@a", n) + "@@YAXXZ" }
	pointers := func(n int) string { return "?f@?$a@" + strings.Repeat("PEA", n) + "H@@YAXXZ" }
	long := func(n int) string { return "?" + strings.Repeat("x", n-len("?@@YAXXZ")) + "@@YAXXZ" }
	packs := func(n int) string { return "?f@?$a@" + strings.Repeat("H", n) + "@@YAXXZ" }
	for name, c := range map[string]struct {
		at, beyond string
	}{
		"length": {long(maxNameBytes), long(maxNameBytes + 1)}, "scopes": {scopes(maxParts), scopes(maxParts + 1)},
		"depth": {pointers(maxDepth - 3), pointers(maxDepth - 2)}, "arguments": {packs(maxParts), packs(maxParts + 1)},
	} {
		if _, err := Name(c.at); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		if _, err := Name(c.beyond); err == nil {
			t.Errorf("%s: beyond the limit", name)
		}
	}
	const longName = 4000 // counted where it stands, where it is referred to, and in the whole
	referring := func(n int) string {
		return "?" + strings.Repeat("x", longName) + "@" + strings.Repeat("0", n) + "@YAXXZ"
	}
	if text, err := Name(referring(1)); len(text) != 2*longName+2 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if text, err := Name(referring(2)); err == nil {
		t.Errorf("%d bytes", len(text))
	}
}

// FuzzName checks that every text ends in a name or an error, within the limits.
func FuzzName(f *testing.F) {
	f.Add("?push_back@?$vector@HV?$allocator@H@std@@@std@@QEAAXAEBH@Z")
	f.Add("??R<lambda_0>@?0??foo@@YAXXZ@QEBA@XZ")
	f.Add("??__E?foo@ns@@3HA@@YAXXZ")
	f.Add("?m@@YAXP8Foo@@EAAHH@Z@Z")
	f.Fuzz(func(t *testing.T, mangled string) {
		text, err := Name(mangled)
		if len(text) > maxTextBytes || (text == "") != (err != nil) && mangled != "" {
			t.Errorf("%q: %d bytes, %v", mangled, len(text), err)
		}
	})
}
