/* What a cell is made of, as native.py lays it out, and what is told to the server. Part of cell.c. */
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <grp.h>

enum { IS_GUEST = -1, SERVE_ON = -2, SUPERVISE_ON = -3, CONCLUDE = -4, NOT_MADE = -1000 };
enum { NO_REASON, WALL, CPU };
enum { MEMORY_PEAK, PROCESSES_PEAK, OOM_KILLS, CPU_USER, CPU_SYSTEM, COUNTERS };
enum { MOST_HIERARCHIES = 16, MOST_RULES = 24, MOST_PLACES = 24, MOST_KNOBS = 16, MOST_FDS = 8, VALUE_BYTES = 32 };
enum { STREAMS = 3, MOST_NAME_BYTES = 256, MOST_RETURNED = 4 };
enum { NAMESPACES = 7, GUEST_ID = 1000, TEXT_BYTES = 4096, CHECK_CPU_MILLISECONDS = 50 };

#define WORKSPACE "/workspace"
#define DATA "/data"
#define EXECUTE_NOW 'X'
#define MOST_FRAME_BYTES (80u << 20)

static const uint64_t BENEATH = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
static const char *const NAMESPACE_NAMES[NAMESPACES] = {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"};

struct rule {
    const char *path;
    uint64_t rights;
};

struct place {
    const char *source;
    const char *target;
    int32_t mode;
    int32_t owned;
};

/* What all cells of a launcher have in common. */
struct house {
    int32_t server, cgroup_version, hierarchies_count;
    int32_t hierarchies[MOST_HIERARCHIES];
    int32_t separate_users, landlock, rules_count, places_count, seccomp_count, padding;
    uint64_t clone_flags, file_rights, scopes;
    struct rule rules[MOST_RULES];
    struct place places[MOST_PLACES];
    const void *seccomp;
    const char *outside[NAMESPACES];
    const char *counter_lines[COUNTERS];
    double cpu_unit_seconds;
};

/* One cell. `streams` are those of a program that is started in advance, or -1. From `guest` on it is what Python needs
 * to go on. */
struct cell {
    const char *name, *scratch, *data;
    int32_t go_read, go_write, control, birthplace;
    int32_t counters[COUNTERS], knobs_count;
    int32_t knobs[MOST_KNOBS], streams[STREAMS];
    int32_t guest, channel, landlock_holds, workspace, status, reason;
    double received, started, ended, deadline, cpu_limit, cpu_user, cpu_system;
    int64_t oom_kills;
    const char *rest;
    int64_t rest_bytes;
    char turned[MOST_KNOBS][VALUE_BYTES];
};

struct text {
    size_t length;
    char bytes[TEXT_BYTES];
};

/* The first bytes of an order to execute. Then come the rows of limits to turn, a text for the disk, for a program that
 * has started already its own limits and files, the files to hand back, each the most bytes it may have and its name with
 * a zero behind it, the job, and the rest, which is for Python. `collects`: there are patterns. A program that has used no
 * more than `roomy_bytes` has left room for what pid 1 needs to hand files back. */
struct order {
    char kind;
    uint8_t writes, collects, rlimits;
    uint16_t disk_bytes, files;
    uint32_t returns_bytes, job_bytes, rest_bytes;
    int64_t roomy_bytes;
    double wall_seconds, cpu_seconds;
} __attribute__((packed));

static struct text failure;
/* What pid 1 tells, one after the other: its pages are there before a program can fill the cell to the brim. */
static struct text told;
