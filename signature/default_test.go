package signature

import (
	"strings"
	"testing"
)

// Each stack is as its platform's tools name it, innermost first. What the
// signature must hold is the program's own function, and before it only what
// says what happened.
func TestDefaultRulesetFindsTheProgramsFunction(t *testing.T) {
	const rustFile = "/rustc/abc/library/std/src/panicking.rs"
	for name, c := range map[string]struct{ os, file, frames, want string }{
		"glibc, assert": {
			"Linux", "", `__pthread_kill_implementation
			raise
			abort
			__assert_fail_base
			__assert_fail
			grow_tree(Tree*)
			main`, "abort | __assert_fail | grow_tree",
		},
		"glibc, double free": {
			"Linux", "", `__pthread_kill_implementation
			__GI_raise
			__GI_abort
			__libc_message_impl
			malloc_printerr
			_int_free
			__GI___libc_free
			sell(Apple*)
			main`, "abort | malloc_printerr | _int_free | free | sell",
		},
		"libstdc++, an exception that nobody catches": {
			"Linux", "", `__pthread_kill_implementation
			raise
			abort
			__gnu_cxx::__verbose_terminate_handler()
			__cxxabiv1::__terminate(void (*)())
			std::terminate()
			__cxa_throw
			std::__throw_out_of_range_fmt(char const*, ...)
			std::vector<int, std::allocator<int> >::_M_range_check(unsigned long) const
			read_ledger(std::string const&)`, "abort | std::terminate | __cxa_throw | std::__throw_out_of_range_fmt | std::vector<T>::_M_range_check | read_ledger",
		},
		"libc++ on macOS, an exception that nobody catches": {
			"Mac OS X", "", `__pthread_kill
			pthread_kill
			abort
			abort_message
			demangling_terminate_handler()
			_objc_terminate()
			std::__terminate(void (*)())
			__cxa_throw
			Ledger::read(std::__1::basic_string<char> const&)`, "abort | __cxa_throw | Ledger::read",
		},
		"Objective-C, an exception": {
			"Mac OS X", "", `__exceptionPreprocess
			objc_exception_throw
			-[__NSArrayM objectAtIndex:]
			-[Orchard pick:]
			__CFRUNLOOP_IS_CALLING_OUT_TO_A_SOURCE0_PERFORM_FUNCTION__`, "-[__NSArrayM objectAtIndex:] | -[Orchard pick:]",
		},
		"Swift, an optional that is nil": {
			"iOS", "", `_assertionFailure(_:_:file:line:flags:)
			Swift._assertionFailure(_:_:file:line:flags:)
			Orchard.pick(at:)
			@objc Orchard.tap(_:)`, "_assertionFailure | Swift._assertionFailure | Orchard.pick",
		},
		"Rust on Linux, unwrap": {
			"Linux", rustFile, `__pthread_kill_implementation
			raise
			abort
			std::process::abort
			rust_begin_unwind
			core::panicking::panic_fmt::h0123456789abcdef
			core::option::unwrap_failed::h0123456789abcdef
			core::option::Option<T>::unwrap
			tidepool::fauna::count::h0123456789abcdef
			core::ops::function::FnOnce::call_once`, "core::panicking::panic_fmt | core::option::unwrap_failed | tidepool::fauna::count",
		},
		"Rust on Windows, an index": {
			"Windows NT", rustFile, `__rust_start_panic
			rust_panic
			std::panicking::rust_panic_with_hook
			std::panicking::begin_panic_handler::closure$0
			std::sys::backtrace::__rust_end_short_backtrace<std::panicking::begin_panic_handler::closure_env$0,never$>
			std::panicking::begin_panic_handler
			core::panicking::panic_fmt
			core::panicking::panic_bounds_check
			tidepool::water::depth_at`, "core::panicking::panic_fmt | core::panicking::panic_bounds_check | tidepool::water::depth_at",
		},
		"Go, a nil pointer": {
			"Linux", "", `runtime.raise.abi0
			runtime.dieFromSignal
			runtime.sigfwdgo
			runtime.sigtrampgo
			runtime.sigtramp.abi0
			runtime.sigpanic
			main.(*Orchard).Count
			main.main
			runtime.main
			runtime.goexit.abi0`, "main.(*Orchard).Count",
		},
		"Go, a map written by two": {
			"Linux", "", `runtime.fatalthrow.func1
			runtime.fatalthrow
			runtime.fatal
			runtime.mapassign_faststr
			main.collect
			runtime.goexit.abi0`, "runtime.fatal | runtime.mapassign_faststr | main.collect",
		},
		"Windows, a pure virtual call": {
			"Windows NT", "", `abort
			_purecall
			Seedling::plant()
			invoke_main()
			__scrt_common_main_seh()
			BaseThreadInitThunk`, "abort | _purecall | Seedling::plant",
		},
		"Windows, a damaged heap": {
			"Windows NT", "", `RtlReportFatalFailure
			RtlReportCriticalFailure
			RtlpHeapHandleError
			RtlpLogHeapFailure
			RtlFreeHeap
			_free_base
			operator delete(void*)
			Basket::~Basket()`, "RtlFreeHeap | _free_base | delete | Basket::~Basket",
		},
		"Windows, an exception that nobody catches": {
			"Windows NT", "", `RaiseException
			_CxxThrowException
			std::_Xout_of_range(char const*)
			Ledger::read(int)
			RtlUserThreadStart`, "_CxxThrowException | std::_Xout_of_range | Ledger::read",
		},
		"Android, a fatal log": {
			"Android", "", `abort
			__android_log_default_aborter
			android::base::SetAborter(std::__1::function<void (char const*)>&&)::$_0::__invoke(char const*)
			__android_log_assert
			native_pick(JNIEnv*, jobject)
			art_quick_generic_jni_trampoline
			art_quick_invoke_stub
			art::ArtMethod::Invoke(art::Thread*, unsigned int*)`, "abort | __android_log_assert | native_pick",
		},
		"AddressSanitizer": {
			"Linux", "", `__sanitizer::Abort()
			__sanitizer::Die()
			__asan::ScopedInErrorReport::~ScopedInErrorReport()
			__asan::ReportGenericError(unsigned long, unsigned long, unsigned long, unsigned long, bool, unsigned long, unsigned int, bool)
			__asan_report_load4
			weigh(Apple const&)`, "weigh",
		},
		"a dump without a crash": {
			"Linux", "", `crashpad::CaptureContext(ucontext_t*)
			crashpad::CrashpadClient::DumpWithoutCrashing(ucontext_t*)
			base::debug::DumpWithoutCrashing(base::Location const&)
			orchard::Report(int)`, "orchard::Report",
		},
		"a thread's start above the function": {
			"Linux", "", `memcpy
			orchard::Harvester::run()
			void std::__invoke_impl<void, void (orchard::Harvester::*)(), orchard::Harvester*>(std::__invoke_memfun_deref, void (orchard::Harvester::*&&)(), orchard::Harvester*&&)
			std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (orchard::Harvester::*)(), orchard::Harvester*> > >::_M_run()
			execute_native_thread_routine
			start_thread`, "memcpy | orchard::Harvester::run",
		},
	} {
		t.Run(name, func(t *testing.T) {
			crash := stackOf(strings.Split(c.frames, "\n")...)
			crash.OS = c.os
			for i := range crash.Threads[0].Frames {
				f := &crash.Threads[0].Frames[i]
				f.Function, f.File = strings.TrimSpace(f.Function), c.file
			}
			if got := Default().Explain(crash); got.Signature != c.want {
				t.Errorf("got  %q\nwant %q\nsteps %v", got.Signature, c.want, got.Why)
			}
		})
	}
}

func TestDefaultRulesetNamesJavaAndKotlinMethods(t *testing.T) {
	for trace, want := range map[string]string{
		"java.lang.IllegalStateException:\nat org.orchard.Tree.pick(Tree.java:12)": "java.lang.IllegalStateException: at org.orchard.Tree.pick(Tree.java)",
		"java.lang.IllegalStateException:\nat org.orchard.Tree.pick(Tree.kt:12)":   "java.lang.IllegalStateException: at org.orchard.Tree.pick(Tree.kt)",
	} {
		if got := Default().Generate(&Crash{JavaStackTrace: trace}).Signature; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
