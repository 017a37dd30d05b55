// Stands before Postgres' calls of fsync and fdatasync (LD_PRELOAD) and makes a directory the disk that a power cut
// leaves: each synced file is copied there whole before the call returns. What is not synced is not copied.
//
// LEADGATE_DISK/INODE-BIRTH is the content of a file, whatever its name; disk_linux.go reads it.
//
// Names of files (create, rename, unlink) and lengths need no copy: they are taken as they are at the cut, as a journal
// keeps them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int lock(int fd) {
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return -1;
    return 0;
}

// copy overwrites to with from. It does not truncate to first, so that a process that is killed meanwhile takes nothing
// away that was synced before.
static int copy(int from, int to) {
    char block[1 << 16];
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(from, block, sizeof block, at);
        if (n < 0)
            return -1;
        if (n == 0)
            return ftruncate(to, at);
        if (pwrite(to, block, n, at) != n)
            return -1;
        at += n;
    }
}

// record copies the file of fd to the disk. Two who sync one file take turns, or the older copy could be the last.
static int record(int fd) {
    const char *disk = getenv("LEADGATE_DISK");
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_BTIME, &st) != 0)
        return -1;
    if (!disk || !S_ISREG(st.stx_mode))
        return 0;
    char own[64], copied[PATH_MAX];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd); // fd may be for writing only
    snprintf(copied, sizeof copied, "%s/%llu-%lld.%u", disk, (unsigned long long)st.stx_ino,
             (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    int from = open(own, O_RDONLY | O_CLOEXEC), to = open(copied, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int failed = from < 0 || to < 0 || lock(to) != 0 ? -1 : copy(from, to);
    int why = errno;
    if (to >= 0)
        close(to);
    if (from >= 0)
        close(from);
    errno = why;
    return failed;
}

int fsync(int fd) { return record(fd); }

int fdatasync(int fd) { return record(fd); }
