// Fails, shortens or ends a program at its k-th file operation below a folder, or records them all.
// Preloaded by tests/faults (LD_PRELOAD); Linux only.
//
//   FAULT_ROOT    folder; operations on other files are left alone
//   FAULT_AT      k, from 1; 0 or absent: none
//   FAULT_DO      kill        SIGKILL before the operation
//                 kill-half   SIGKILL after half of a write (before any other operation)
//                 kill-after  SIGKILL after the operation
//                 short       half of a write is done, as a signal may have it
//                 NUMBER      the operation fails with this errno
//   FAULT_ON      name of the only operation that counts, for example `flock`
//   FAULT_STAYS   1: every later operation fails too
//   FAULT_COUNT   file that gets the number of operations
//   FAULT_RECORD  file that gets every operation with its bytes, for replaying a loss of power
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FAIL, KILL, KILL_HALF, KILL_AFTER, SHORT };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *only;
static long at, count;
static int action = -1, number, stays, record = -1;

static void begin(void) {
  static int begun;
  if (begun) return;
  begun = 1;
  const char *text;
  root = getenv("FAULT_ROOT");
  only = getenv("FAULT_ON");
  if ((text = getenv("FAULT_AT"))) at = atol(text);
  if ((text = getenv("FAULT_STAYS"))) stays = atoi(text);
  if ((text = getenv("FAULT_DO"))) {
    if (!strcmp(text, "kill")) action = KILL;
    else if (!strcmp(text, "kill-half")) action = KILL_HALF;
    else if (!strcmp(text, "kill-after")) action = KILL_AFTER;
    else if (!strcmp(text, "short")) action = SHORT;
    else { action = FAIL; number = atoi(text); }
  }
  if ((text = getenv("FAULT_RECORD")))
    record = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

__attribute__((constructor)) static void constructor(void) { begin(); }

__attribute__((destructor)) static void destructor(void) {
  const char *path = getenv("FAULT_COUNT");
  if (!path) return;
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", count);
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0) { syscall(SYS_write, fd, text, length); syscall(SYS_close, fd); }
}

static void end(void) { syscall(SYS_kill, getpid(), SIGKILL); for (;;) pause(); }

static int ours(const char *path) {
  return root && path && !strncmp(path, root, strlen(root));
}

static const char *absolute(const char *path, char *buffer) {
  if (path[0] == '/') return path;
  if (!getcwd(buffer, 2048)) return path;
  strcat(buffer, "/");
  strncat(buffer, path, 2000);
  return buffer;
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, 4095);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static void note(const char *what, const char *path, const char *to, long offset, const void *bytes, size_t length) {
  if (record < 0) return;
  char head[9000];
  int size = snprintf(head, sizeof head, "%s\t%s\t%s\t%ld\t%zu\n", what, path, to ? to : "", offset, length);
  syscall(SYS_write, record, head, size);
  if (length) syscall(SYS_write, record, bytes, length);
}

// Counts an operation; returns whether the fault is due. Holds the lock if the path is ours.
static int due(const char *what, const char *path) {
  begin();
  if (!ours(path) || (only && strcmp(only, what))) return -1;
  pthread_mutex_lock(&lock);
  count++;
  int now = at > 0 && (count == at || (stays && count > at));
  if (now && (action == KILL || (action == KILL_HALF && strcmp(what, "write")))) end();
  return now;
}

static void done(int now) {
  if (now == 1 && action == KILL_AFTER) end();
  if (now >= 0) pthread_mutex_unlock(&lock);
}

#define REFUSE(now) if ((now) == 1 && action == FAIL) { done(now); errno = number; return -1; }

ssize_t write(int fd, const void *bytes, size_t length) {
  char path[4096];
  int now = path_of(fd, path) ? due("write", path) : -1;
  REFUSE(now)
  if (now == 1 && (action == SHORT || action == KILL_HALF) && length > 1) length /= 2;
  if (now >= 0 && record >= 0) {
    struct stat facts;
    long offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    if ((fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &facts)) offset = facts.st_size;
    note("write", path, 0, offset, bytes, length);
  }
  ssize_t written = syscall(SYS_write, fd, bytes, length);
  if (now == 1 && action == KILL_HALF) end();
  done(now);
  return written;
}

static int flush(int fd, long call) {
  char path[4096];
  int now = path_of(fd, path) ? due("flush", path) : -1;
  REFUSE(now)
  if (now >= 0) note("flush", path, 0, 0, 0, 0);
  int result = syscall(call, fd);
  done(now);
  return result;
}
int fsync(int fd) { return flush(fd, SYS_fsync); }
int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
  char a[8192], b[8192];
  const char *source = absolute(from, a), *target = absolute(to, b);
  int now = due("rename", target);
  REFUSE(now)
  if (now >= 0) note("rename", source, target, 0, 0, 0);
  int result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  done(now);
  return result;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  char a[8192], b[8192];
  const char *source = absolute(from, a), *target = absolute(to, b);
  int now = due("link", target);
  REFUSE(now)
  if (now >= 0) note("link", source, target, 0, 0, 0);
  int result = syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
  done(now);
  return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlink(const char *name) {
  char a[8192];
  const char *path = absolute(name, a);
  int now = due("unlink", path);
  REFUSE(now)
  if (now >= 0) note("unlink", path, 0, 0, 0, 0);
  int result = syscall(SYS_unlinkat, AT_FDCWD, name, 0);
  done(now);
  return result;
}

int mkdir(const char *name, mode_t mode) {
  char a[8192];
  const char *path = absolute(name, a);
  int now = due("mkdir", path);
  REFUSE(now)
  if (now >= 0) note("mkdir", path, 0, 0, 0, 0);
  int result = syscall(SYS_mkdirat, AT_FDCWD, name, mode);
  done(now);
  return result;
}

static int opened(const char *name, int flags, mode_t mode) {
  char a[8192];
  const char *path = absolute(name, a);
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
  int now = due(writes ? "create" : "open", path);
  REFUSE(now)
  int result = syscall(SYS_openat, AT_FDCWD, name, flags, mode);
  if (now >= 0 && writes && result >= 0) note("create", path, 0, 0, 0, 0);
  done(now);
  return result;
}
#define OPEN(name) int name(const char *path, int flags, ...) { \
  mode_t mode = 0; \
  if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
  return opened(path, flags, mode); }
OPEN(open)
OPEN(open64)

static int cut(int fd, off_t length) {
  char path[4096];
  int now = path_of(fd, path) ? due("cut", path) : -1;
  REFUSE(now)
  if (now >= 0) note("cut", path, 0, length, 0, 0);
  int result = syscall(SYS_ftruncate, fd, length);
  done(now);
  return result;
}
int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off_t length) { return cut(fd, length); }

int flock(int fd, int operation) {
  char path[4096];
  int now = path_of(fd, path) ? due("flock", path) : -1;
  REFUSE(now)
  int result = syscall(SYS_flock, fd, operation);
  done(now);
  return result;
}

ssize_t read(int fd, void *bytes, size_t length) {
  char path[4096];
  int now = path_of(fd, path) ? due("read", path) : -1;
  REFUSE(now)
  if (now == 1 && action == SHORT && length > 1) length = 1;
  ssize_t result = syscall(SYS_read, fd, bytes, length);
  done(now);
  return result;
}
