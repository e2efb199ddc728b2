/* Starts Crashpad's handler at the moment of a crash.  SPDX-License-Identifier: Apache-2.0
 *
 * The whole client: call crashpad_client_install once, early in main.  Nothing runs until the program dies; then the
 * signal handler starts chrome_crashpad_handler, which traces its parent, writes a minidump into the database and ends. */
#ifndef CRASHPAD_CLIENT_H_
#define CRASHPAD_CLIENT_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Catches the fatal signals of this process.  product and version become annotations of its minidumps. */
void crashpad_client_install(const char* product, const char* version);

/* Gives the calling thread a stack for signal handlers, without which a stack overflow cannot be reported.
 * crashpad_client_install does it for its own thread. */
void crashpad_client_install_thread(void);

#ifdef __cplusplus
}
#endif

#endif
