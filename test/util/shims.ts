import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from './suite.ts'
import { temporaryFolder } from './folder.ts'

/** From the moment when the file that `LECTERN_SHIM_FILE` names is there, flushes fail with EIO, but for the first `LECTERN_SHIM_AFTER` of them. */
export const FAILING_FLUSH = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int seen;
static int fails(void) {
  const char *file = getenv("LECTERN_SHIM_FILE"), *after = getenv("LECTERN_SHIM_AFTER");
  if (file == NULL || access(file, F_OK) != 0) return 0;
  return __sync_fetch_and_add(&seen, 1) >= (after == NULL ? 0 : atoi(after));
}
#define FLUSH(name) \\
  int name(int fd) { \\
    static int (*real)(int); \\
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \\
    if (fails()) { errno = EIO; return -1; } \\
    return real(fd); \\
  }
FLUSH(fdatasync)
FLUSH(fsync)
`

/** The clock of the day goes wrong by the seconds (a 64-bit number) in the file that `LECTERN_SHIM_FILE` names, whenever they change. */
export const WRONG_CLOCK = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *offset;
static int64_t seconds(void) {
  if (offset == NULL) {
    const char *file = getenv("LECTERN_SHIM_FILE");
    int fd = file == NULL ? -1 : open(file, O_RDONLY);
    if (fd < 0) return 0;
    void *map = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return 0;
    offset = map;
  }
  return *offset;
}
int clock_gettime(clockid_t id, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, time);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) time->tv_sec += seconds();
  return result;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (real == NULL) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(time, zone);
  if (result == 0) time->tv_sec += seconds();
  return result;
}
`

/** Below the folder that `LECTERN_SHIM_FILE` names, files have no second name and no mode of their own: as on a USB stick, or a share. */
export const PLAIN_DISK = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static int is_there(const char *path) {
  const char *folder = getenv("LECTERN_SHIM_FILE");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}
static int refused(void) { errno = EPERM; return -1; }
int link(const char *from, const char *to) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");
  return is_there(to) ? refused() : real(from, to);
}
int chmod(const char *path, mode_t mode) {
  int (*real)(const char *, mode_t) = (int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "chmod");
  return is_there(path) ? refused() : real(path, mode);
}
int fchmod(int fd, mode_t mode) {
  int (*real)(int, mode_t) = (int (*)(int, mode_t))dlsym(RTLD_NEXT, "fchmod");
  char name[32], path[PATH_MAX + 1];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(name, path, PATH_MAX);
  path[size < 0 ? 0 : size] = 0;
  return is_there(path) ? refused() : real(fd, mode);
}
`

/**
 * Compiles a library to be loaded in front of the system's own, into a folder that goes when the test ends.
 * @returns the library, and a path beside it for `LECTERN_SHIM_FILE`; undefined, after it has said so, where there is no compiler
 */
export function buildShim({ defer }: TestContext, source: string): { library: string; file: string } | undefined {
  const folder = temporaryFolder({ defer })
  const library = join(folder, 'shim.so')
  writeFileSync(join(folder, 'shim.c'), source)
  const flags = ['-shared', '-fPIC', '-O1', '-o', library, join(folder, 'shim.c'), '-ldl']
  const { status, stderr } = spawnSync('gcc', flags, { encoding: 'utf8' })
  if (process.platform === 'linux' && status === 0) return { library, file: join(folder, 'file') }
  if (process.env['CI'] === 'true') throw new Error(`CI needs Linux and gcc for this test: ${stderr}`)
  process.stdout.write('SKIPPED: this needs Linux and gcc\n')
  return undefined
}
