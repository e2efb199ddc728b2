/* See crashpad_client.h.  SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "crashpad_client.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CRASHPAD_HANDLER
#define CRASHPAD_HANDLER "/usr/lib/chromium/chrome_crashpad_handler"
#endif
#ifndef CRASHPAD_DATABASE
#define CRASHPAD_DATABASE "/var/crash"
#endif

enum { kSignalStackSize = 64 << 10 };

/* What the handler reads from its parent at the address it is given: Crashpad's ExceptionInformation. */
static struct __attribute__((packed)) {
  uint64_t siginfo_address;
  uint64_t context_address;
  int32_t thread_id;
} exception_information;

/* The handler's command line.  It is made at install time: in a signal handler there is no safe way to format text. */
static char trace_argument[64];
static char product_argument[64];
static char version_argument[64];
static char* const handler_arguments[] = {
    (char*)CRASHPAD_HANDLER, (char*)"--database=" CRASHPAD_DATABASE, trace_argument, product_argument, version_argument, NULL};
static char* const empty_environment[] = {NULL};

static const int fatal_signals[] = {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS, SIGTRAP};

static void handle_crash(int signal_number, siginfo_t* info, void* context) {
  static volatile sig_atomic_t crashed;
  if (__sync_lock_test_and_set(&crashed, 1)) {
    for (;;) pause(); /* a second thread dies while the first is being reported */
  }
  exception_information.siginfo_address = (uintptr_t)info;
  exception_information.context_address = (uintptr_t)context;
  exception_information.thread_id = (int32_t)syscall(SYS_gettid);

  prctl(PR_SET_DUMPABLE, 1);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  /* _Fork, not fork: the heap may be the thing that is broken, and fork takes its locks. */
  pid_t handler = _Fork();
  if (handler == 0) {
    execve(CRASHPAD_HANDLER, handler_arguments, empty_environment);
    _exit(127);
  }
  if (handler > 0) waitpid(handler, NULL, 0);

  signal(signal_number, SIG_DFL);
  syscall(SYS_tgkill, getpid(), exception_information.thread_id, signal_number); /* pending until this function returns */
}

void crashpad_client_install_thread(void) {
  stack_t stack = {.ss_sp = malloc(kSignalStackSize), .ss_size = kSignalStackSize};
  if (stack.ss_sp) sigaltstack(&stack, NULL);
}

void crashpad_client_install(const char* product, const char* version) {
  snprintf(trace_argument, sizeof trace_argument, "--trace-parent-with-exception=%#lx", (unsigned long)(uintptr_t)&exception_information);
  snprintf(product_argument, sizeof product_argument, "--annotation=product=%s", product);
  snprintf(version_argument, sizeof version_argument, "--annotation=version=%s", version);
  crashpad_client_install_thread();

  struct sigaction action = {.sa_sigaction = handle_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  for (size_t i = 0; i < sizeof fatal_signals / sizeof fatal_signals[0]; i++) sigaction(fatal_signals[i], &action, NULL);
}
