/* The short way through the life of a cell, without touching an interpreter's memory.
 *
 * A clone of the launcher copies every page it writes to, and an interpreter writes to hundreds of pages just by
 * running. What pid 1 does for an ordinary run, and what a guest does before it waits, is therefore done here, exactly
 * as init.py, building.py and guest.py do it where this library is absent. Whatever is not ordinary is handed to them:
 * `make_cell` returns in pid 1 with the state they go on from, and in the guest when it is locked in.
 *
 * Every call is checked; a failure before the program starts ends the cell and says why.
 */
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
enum { STREAMS = 3, MOST_NAME_BYTES = 256 };
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
 * has started already its own limits and files, the names of files to hand back, each with a zero behind it, the job, and
 * the rest, which is for Python. `collects`: there are patterns. */
struct order {
    char kind;
    uint8_t writes, collects, rlimits;
    uint16_t disk_bytes, files;
    uint32_t returns_bytes, job_bytes, rest_bytes;
    double wall_seconds, cpu_seconds;
} __attribute__((packed));

static struct text failure;
/* What pid 1 tells, one after the other: its pages are there before a program can fill the cell to the brim. */
static struct text told;

/* --- small things ------------------------------------------------------------------------------------------------ */

static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->bytes - text->length;
    int count = vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    if (count > 0)
        text->length += (size_t)count < room ? (size_t)count : room - 1;
}

static int fails(const char *what) {
    if (failure.length == 0)
        add(&failure, "%s: %s", what, strerror(errno));
    return -1;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int write_text(int fd, const char *text) {
    size_t length = strlen(text);
    return write(fd, text, length) == (ssize_t)length ? 0 : -1;
}

static int send_all(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return -1;
        data += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static int receive_all(int fd, char *data, size_t length) {
    while (length > 0) {
        ssize_t count = recv(fd, data, length, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        data += count;
        length -= (size_t)count;
    }
    return 0;
}

static void close_all_but(int *keep, int count) {
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && keep[j - 1] > keep[j]; j--) {
            int other = keep[j];
            keep[j] = keep[j - 1];
            keep[j - 1] = other;
        }
    unsigned first = 3;
    for (int i = 0; i < count; i++) {
        if (keep[i] < (int)first)
            continue;
        if (keep[i] > (int)first)
            syscall(SYS_close_range, first, (unsigned)keep[i] - 1, 0);
        first = (unsigned)keep[i] + 1;
    }
    syscall(SYS_close_range, first, ~0u, 0);
}

static int become(uid_t id) {
    return setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id) ? fails("changing the user") : 0;
}

static int stay_out_of_reach(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) ? fails("prctl") : 0;
}

/* --- the guest: builds the cell and locks itself in ----------------------------------------------------------------- */

static int loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fails("socket");
    int result = ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return result ? fails("the loopback interface") : 0;
}

static int mount_scratch(const struct house *house, const struct cell *cell) {
    if (mount("scratch", WORKSPACE, "tmpfs", MS_NOSUID | MS_NODEV, cell->scratch))
        return fails("mount tmpfs on " WORKSPACE);
    for (int i = 0; i < house->places_count; i++) {
        const struct place *place = &house->places[i];
        if (mkdir(place->source, 0777) || chmod(place->source, (mode_t)place->mode))
            return fails(place->source);
        if (mount(place->source, place->target, NULL, MS_BIND, NULL))
            return fails(place->target);
    }
    for (int i = 0; i < house->places_count; i++)
        if (house->places[i].owned && chown(house->places[i].target, GUEST_ID, GUEST_ID))
            return fails(house->places[i].target);
    return 0;
}

static int build(const struct house *house, const struct cell *cell) {
    if (loopback_up() || mount_scratch(house, cell))
        return -1;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=invisible"))
        return fails("mount proc on /proc");
    if (cell->data && mount(cell->data, DATA, NULL, MS_BIND, NULL))
        return fails("mount bind on " DATA);
    /* It lists the open file description locks of the whole host, whichever namespace asks. */
    return mount("/dev/null", "/proc/locks", NULL, MS_BIND, NULL) ? fails("mount bind on /proc/locks") : 0;
}

static int landlock_ruleset(const struct house *house) {
    uint64_t attributes[3] = {house->file_rights, 0, house->scopes};
    size_t size = house->scopes ? sizeof attributes : sizeof attributes[0];
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, attributes, size, 0);
    if (ruleset < 0)
        return fails("landlock_create_ruleset");
    for (int i = 0; i < house->rules_count; i++) {
        struct {
            uint64_t rights;
            int32_t parent;
        } __attribute__((packed)) beneath = {house->rules[i].rights, open(house->rules[i].path, O_PATH | O_CLOEXEC)};
        if (beneath.parent < 0 || syscall(SYS_landlock_add_rule, ruleset, 1, &beneath, 0))
            return fails(house->rules[i].path);
        close(beneath.parent);
    }
    return ruleset;
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    return syscall(SYS_capset, &header, none) ? fails("capset") : 0;
}

static int drop_bounding_set(void) {
    int capability = 0;
    while (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
        capability++;
    return capability <= 40 ? fails("prctl PR_CAPBSET_DROP") : 0;
}

static int open_oom_score(void) { return open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); }

/* When the cell runs out of memory the kernel should take the program, not pid 1. */
static int raise_oom_score(void) {
    int fd = open_oom_score();
    if (fd < 0 || write_text(fd, "1000"))
        return fails("oom_score_adj");
    return close(fd);
}

static int load_seccomp(const struct house *house) {
    struct sock_fprog program = {(unsigned short)house->seccomp_count, (struct sock_filter *)house->seccomp};
    if (house->seccomp_count == 0)
        return 0;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? fails("seccomp") : 0;
}

/* The order matters: rights are needed to give up rights, and the filter forbids the rest. */
static int lock_in(const struct house *house, const struct cell *cell) {
    int keep[] = {cell->channel, cell->streams[0], cell->streams[1], cell->streams[2]}, ruleset = -1;
    sigset_t none;
    prctl(PR_SET_NAME, "python", 0, 0, 0);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) || setsid() < 0 || chdir(WORKSPACE))
        return fails("a session of its own");
    close_all_but(keep, 1 + STREAMS);
    if (house->landlock && (ruleset = landlock_ruleset(house)) < 0)
        return -1;
    if (drop_bounding_set() || (house->separate_users && become(GUEST_ID)) || drop_capabilities())
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
        return fails("prctl");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return fails("prctl PR_SET_PDEATHSIG");
    if (raise_oom_score())
        return -1;
    if (ruleset >= 0) {
        if (syscall(SYS_landlock_restrict_self, ruleset, 0))
            return fails("landlock_restrict_self");
        close(ruleset);
    }
    return load_seccomp(house);
}

/* Landlock has no entry in /proc, so try something only it forbids. */
static int landlock_holds(void) {
    int fd = open_oom_score();
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EACCES || errno == EPERM);
}

static int be_guest(const struct house *house, struct cell *cell) {
    int failed = build(house, cell) || lock_in(house, cell);
    char word[2] = {failed ? 'e' : 'l', failed ? 0 : (char)landlock_holds()};
    if (send_all(cell->channel, word, sizeof word))
        _exit(1);
    if (failed) {
        send_all(cell->channel, failure.bytes, failure.length);
        _exit(1);
    }
    return IS_GUEST;
}

/* --- pid 1 --------------------------------------------------------------------------------------------------------- */

/* JSON text towards the server; `fill` has no quotes or backslashes but its own. */
static void send_text(const struct cell *cell, const struct text *text) {
    uint32_t lengths[2] = {htonl((uint32_t)text->length), 0};
    if (send_all(cell->control, (const char *)lengths, sizeof lengths) || send_all(cell->control, text->bytes, text->length))
        _exit(0);
}

static void give_up(const struct cell *cell) {
    told.length = 0;
    for (size_t i = 0; i < failure.length; i++)
        if (failure.bytes[i] < ' ' || strchr("\"\\\x7f", failure.bytes[i]))
            failure.bytes[i] = '?';
    add(&told, "{\"op\":\"failed\",\"error\":\"%.*s\"}", 1000, failure.bytes);
    send_text(cell, &told);
    _exit(1);
}

/* `0` in `tasks` is the one way into a v1 group without an RCU grace period, some 10 ms. */
static int join_groups(const struct house *house, const struct cell *cell) {
    char path[64];
    snprintf(path, sizeof path, "%s/tasks", cell->name);
    for (int i = 0; house->cgroup_version == 1 && i < house->hierarchies_count; i++) {
        int fd = openat(house->hierarchies[i], path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write_text(fd, "0"))
            return fails(path);
        close(fd);
    }
    return 0;
}

static int take_charge(const struct house *house, struct cell *cell) {
    int keep[COUNTERS + MOST_KNOBS + STREAMS + 1], count = 0;
    char go = 0;
    close(cell->go_write);
    close(house->server);
    if (join_groups(house, cell))
        return -1;
    if (read(cell->go_read, &go, 1) != 1)
        _exit(1);
    keep[count++] = cell->control;
    for (int i = 0; i < COUNTERS; i++)
        keep[count++] = cell->counters[i];
    for (int i = 0; i < cell->knobs_count; i++)
        keep[count++] = cell->knobs[i];
    for (int i = 0; i < STREAMS; i++)
        keep[count++] = cell->streams[i];
    close_all_but(keep, count);
    prctl(PR_SET_NAME, "holdfast-init", 0, 0, 0);
    if (house->separate_users && become(0))
        return -1;
    if (unshare(CLONE_NEWCGROUP))
        return fails("unshare");
    return stay_out_of_reach();
}

static int64_t counter(const struct house *house, const struct cell *cell, int which) {
    char text[4096];
    const char *line = house->counter_lines[which], *at = text;
    ssize_t count = cell->counters[which] < 0 ? -1 : pread(cell->counters[which], text, sizeof text - 1, 0);
    if (count < 0)
        return -1;
    text[count] = 0;
    if (line == NULL)
        return strtoll(text, NULL, 10);
    for (size_t length = strlen(line); at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, length) == 0 && at[length] == ' ')
            return strtoll(at + length, NULL, 10);
    }
    return -1;
}

static void add_counter(struct text *text, const char *name, int64_t value) {
    if (value < 0)
        add(text, ",\"%s\":null", name);
    else
        add(text, ",\"%s\":%lld", name, (long long)value);
}

static void read_cpu(const struct house *house, const struct cell *cell, double *user, double *system) {
    struct rusage usage;
    if (cell->counters[CPU_USER] >= 0) {
        *user = (double)counter(house, cell, CPU_USER) * house->cpu_unit_seconds;
        *system = (double)counter(house, cell, CPU_SYSTEM) * house->cpu_unit_seconds;
        return;
    }
    getrusage(RUSAGE_CHILDREN, &usage);
    *user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6;
    *system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6;
}

static void add_namespaces(struct text *text, const struct house *house, const struct cell *cell) {
    char path[64], link[64];
    const char *comma = "";
    for (int i = 0; i < NAMESPACES; i++) {
        snprintf(path, sizeof path, "/proc/%d/ns/%s", cell->guest, NAMESPACE_NAMES[i]);
        ssize_t length = readlink(path, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
        if (length <= 0 || strcmp(link, house->outside[i]) == 0)
            continue;
        add(text, "%s\"%s\"", comma, NAMESPACE_NAMES[i]);
        comma = ",";
    }
}

static void add_counted(struct text *text, const struct cell *cell) {
    static const char *const names[] = {"memory_peak", "processes_peak", "oom_kills", "cpu_user", "cpu_system"};
    const char *comma = "";
    for (int i = 0; i < COUNTERS; i++) {
        if (cell->counters[i] < 0)
            continue;
        add(text, "%s\"%s\"", comma, names[i]);
        comma = ",";
    }
}

static const char *is_there(const char *text, const char *part) { return strstr(text, part) ? "true" : "false"; }

static const char *has_no_capability(const char *status) {
    static const char *const sets[] = {"Inh", "Prm", "Eff", "Bnd", "Amb"};
    char line[64];
    for (int i = 0; i < 5; i++) {
        snprintf(line, sizeof line, "\nCap%s:\t%016x\n", sets[i], 0);
        if (strstr(status, line) == NULL)
            return "false";
    }
    return "true";
}

/* What the kernel says of the guest. */
static void send_ready(const struct house *house, const struct cell *cell) {
    char path[64], status[1 << 14], uid[32];
    told.length = 0;
    snprintf(path, sizeof path, "/proc/%d/status", cell->guest);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, status, sizeof status - 1);
    close(fd);
    status[count < 0 ? 0 : count] = 0;
    snprintf(uid, sizeof uid, "\nUid:\t%d\t", (int)getuid());
    add(&told, "{\"op\":\"ready\",\"native\":true,\"isolation\":{\"namespaces\":[");
    add_namespaces(&told, house, cell);
    add(&told, "],\"seccomp\":%s", is_there(status, "\nSeccomp:\t2\n"));
    add(&told, ",\"no_new_privileges\":%s", is_there(status, "\nNoNewPrivs:\t1\n"));
    add(&told, ",\"capabilities_dropped\":%s", has_no_capability(status));
    add(&told, ",\"separate_users\":%s", count > 0 && strstr(status, uid) == NULL ? "true" : "false");
    add(&told, ",\"landlock\":%s,\"cgroup\":[", cell->landlock_holds ? "true" : "false");
    add_counted(&told, cell);
    add(&told, "]");
    add_counter(&told, "memory_bytes", counter(house, cell, MEMORY_PEAK));
    add(&told, "}}");
    send_text(cell, &told);
}

/* 0 in pid 1, with a locked in guest; IS_GUEST in that guest. */
static int make_guest(const struct house *house, struct cell *cell) {
    int ends[2];
    char word[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return fails("socketpair"), 0;
    cell->guest = fork();
    if (cell->guest == 0) {
        close(ends[0]);
        close(cell->control);
        cell->channel = ends[1];
        return be_guest(house, cell);
    }
    close(ends[1]);
    for (int i = 0; i < STREAMS; i++)
        if (cell->streams[i] >= 0)
            close(cell->streams[i]);
    cell->channel = ends[0];
    if (cell->guest < 0)
        return fails("fork"), 0;
    if (receive_all(cell->channel, word, sizeof word)) {
        errno = ECHILD;
        return fails("the guest could not be locked in"), 0;
    }
    if (word[0] != 'l') {
        add(&failure, "the guest could not be locked in: ");
        ssize_t count = recv(cell->channel, failure.bytes + failure.length, 500, MSG_WAITALL);
        failure.length += count > 0 ? (size_t)count : 0;
        return 0;
    }
    cell->landlock_holds = word[1];
    return 0;
}

static int set_fs_ids(void) {
    setfsgid(GUEST_ID);
    setfsuid(GUEST_ID);
    errno = EPERM;
    return setfsuid((uid_t)-1) != GUEST_ID || setfsgid((gid_t)-1) != GUEST_ID ? fails("setfsuid") : 0;
}

/* --- one run --------------------------------------------------------------------------------------------------------- */

struct frame {
    char *bytes;
    uint32_t header_bytes, payload_bytes;
    int fds[MOST_FDS], fds_count;
    const char *returns;
    uint32_t returns_bytes;
    int collects;
};

/* Whether the next frame is an order for us; the cell ends with its control socket. */
static int is_order(const struct cell *cell) {
    char peek[9];
    ssize_t count;
    do
        count = recv(cell->control, peek, sizeof peek, MSG_PEEK | MSG_WAITALL);
    while (count < 0 && errno == EINTR);
    if (count <= 0)
        _exit(0);
    return count == sizeof peek && peek[8] == EXECUTE_NOW;
}

static int receive_frame(const struct cell *cell, struct frame *frame) {
    uint32_t lengths[2];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof frame->fds)];
    } rights;
    struct iovec piece = {lengths, sizeof lengths};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
    if (recvmsg(cell->control, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof lengths)
        return -1;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each != NULL; each = CMSG_NXTHDR(&message, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
            continue;
        frame->fds_count = (int)((each->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(frame->fds, CMSG_DATA(each), sizeof(int) * (size_t)frame->fds_count);
    }
    frame->header_bytes = ntohl(lengths[0]);
    frame->payload_bytes = ntohl(lengths[1]);
    size_t size = (size_t)frame->header_bytes + frame->payload_bytes;
    if (size > MOST_FRAME_BYTES || (frame->bytes = malloc(size + 1)) == NULL)
        return -1;
    return receive_all(cell->control, frame->bytes, size);
}

/* The job goes on to the guest as it came, behind its own lengths and with the descriptors. */
static int hand_over(const struct cell *cell, const struct frame *frame, const char *job, uint32_t job_bytes) {
    uint32_t payload_bytes = cell->streams[0] < 0 ? frame->payload_bytes : 0;
    uint32_t lengths[2] = {htonl(job_bytes), htonl(payload_bytes)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof frame->fds)];
    } rights = {{0}};
    size_t fds_bytes = sizeof(int) * (size_t)frame->fds_count;
    struct iovec piece = {lengths, sizeof lengths};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (frame->fds_count) {
        message.msg_control = &rights;
        message.msg_controllen = CMSG_SPACE(fds_bytes);
        rights.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(fds_bytes), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&rights.header), frame->fds, fds_bytes);
    }
    if (sendmsg(cell->channel, &message, MSG_NOSIGNAL) != sizeof lengths)
        return -1;
    return send_all(cell->channel, job, job_bytes) ||
           send_all(cell->channel, frame->bytes + frame->header_bytes, payload_bytes);
}

struct write {
    uint8_t knob, length;
    char value[VALUE_BYTES];
};

struct rlimit_row {
    uint8_t resource;
    uint64_t value;
} __attribute__((packed));

struct file_row {
    uint8_t name_bytes, executable;
    uint32_t size;
} __attribute__((packed));

/* What a guest would do itself before its program starts, for a program that has started: NULL when that fails. */
static const char *limit_guest(const struct cell *cell, const char *at, const char *end, int count) {
    struct rlimit_row row;
    for (; count > 0; count--, at += sizeof row) {
        if (end - at < (ptrdiff_t)sizeof row)
            return NULL;
        memcpy(&row, at, sizeof row);
        struct rlimit limit = {row.value, row.value};
        if (prlimit(cell->guest, row.resource, &limit, NULL))
            return fails("prlimit"), NULL;
    }
    return at;
}

static int place_file(const struct cell *cell, const char *name, const struct file_row *row, const char *data) {
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, .resolve = BENEATH};
    how.mode = row->executable ? 0755 : 0644;
    int fd = (int)syscall(SYS_openat2, cell->workspace, name, &how, sizeof how);
    ssize_t written = 0;
    for (size_t left = row->size; fd >= 0 && left > 0 && written >= 0; left -= (size_t)written, data += written)
        written = write(fd, data, left);
    return fd < 0 || written < 0 || close(fd) ? fails("the files could not be placed") : 0;
}

static const char *place_files(const struct cell *cell, const char *at, const struct frame *frame, int count) {
    const char *data = frame->bytes + frame->header_bytes, *end_of_data = data + frame->payload_bytes;
    const char *end = data;
    struct file_row row;
    char name[MOST_NAME_BYTES];
    for (; count > 0; count--) {
        if (end - at < (ptrdiff_t)sizeof row)
            return NULL;
        memcpy(&row, at, sizeof row);
        at += sizeof row;
        if (end - at < row.name_bytes || end_of_data - data < (ptrdiff_t)row.size)
            return NULL;
        memcpy(name, at, row.name_bytes);
        name[row.name_bytes] = 0;
        if (place_file(cell, name, &row, data))
            return NULL;
        at += row.name_bytes;
        data += row.size;
    }
    return at;
}

static const char *take_writes(const char *at, const char *end, struct write *writes, int count) {
    for (int i = 0; i < count; i++) {
        if (end - at < 2 || (uint8_t)at[1] >= VALUE_BYTES || end - at < 2 + (uint8_t)at[1])
            return NULL;
        writes[i].knob = (uint8_t)at[0];
        writes[i].length = (uint8_t)at[1];
        memcpy(writes[i].value, at + 2, writes[i].length);
        writes[i].value[writes[i].length] = 0;
        at += 2 + writes[i].length;
    }
    return at;
}

/* Memory with and without swap bound each other, so of a pair one may have to wait for the other. */
static int turn(struct cell *cell, const struct write *writes, int count) {
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < count; i++) {
            if (writes[i].knob >= cell->knobs_count)
                return -1;
            if (write_text(cell->knobs[writes[i].knob], writes[i].value) && round == 1)
                return fails("writing a limit");
            memcpy(cell->turned[writes[i].knob], writes[i].value, VALUE_BYTES);
        }
    return 0;
}

/* Apply what this job's limits have different from those the cell was made with; where the order goes on. */
static const char *adjust(struct cell *cell, const struct order *order, const char *at, const char *end) {
    struct write writes[MOST_KNOBS];
    char disk[256];
    at = order->writes <= MOST_KNOBS ? take_writes(at, end, writes, order->writes) : NULL;
    if (at == NULL || order->disk_bytes >= sizeof disk || end - at < order->disk_bytes)
        return NULL;
    memcpy(disk, at, order->disk_bytes);
    disk[order->disk_bytes] = 0;
    if (order->disk_bytes && mount(NULL, WORKSPACE, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, disk))
        return fails("remount of " WORKSPACE), NULL;
    return turn(cell, writes, order->writes) ? NULL : at + order->disk_bytes;
}

static void begin(const struct house *house, struct cell *cell, const struct order *order) {
    int64_t kills = counter(house, cell, OOM_KILLS);
    cell->oom_kills = kills < 0 ? 0 : kills;
    read_cpu(house, cell, &cell->cpu_user, &cell->cpu_system);
    cell->started = now();
    cell->deadline = cell->started + order->wall_seconds;
    cell->cpu_limit = order->cpu_seconds < 0 ? -1 : order->cpu_seconds + cell->cpu_user + cell->cpu_system;
}

static int start(const struct house *house, struct cell *cell, struct frame *frame) {
    struct order order;
    const char *end = frame->bytes + frame->header_bytes, *at;
    if (frame->header_bytes < sizeof order)
        return -1;
    memcpy(&order, frame->bytes, sizeof order);
    if ((at = adjust(cell, &order, frame->bytes + sizeof order, end)) == NULL)
        return -1;
    begin(house, cell, &order);
    if ((at = limit_guest(cell, at, end, order.rlimits)) == NULL || (at = place_files(cell, at, frame, order.files)) == NULL)
        return -1;
    if ((size_t)(end - at) != (size_t)order.returns_bytes + order.job_bytes + order.rest_bytes)
        return -1;
    if (order.returns_bytes && at[order.returns_bytes - 1])
        return -1;
    frame->collects = order.collects;
    frame->returns = at;
    frame->returns_bytes = order.returns_bytes;
    const char *job = at + order.returns_bytes;
    cell->rest = job + order.job_bytes;
    cell->rest_bytes = order.rest_bytes;
    if (hand_over(cell, frame, job, order.job_bytes))
        return fails("the guest was lost");
    for (int i = 0; i < frame->fds_count; i++)
        close(frame->fds[i]);
    close(cell->channel);
    cell->channel = -1;
    return 0;
}

static int overdue(const struct house *house, const struct cell *cell) {
    double user, system;
    if (now() >= cell->deadline)
        return WALL;
    if (cell->cpu_limit < 0)
        return NO_REASON;
    read_cpu(house, cell, &user, &system);
    return user + system >= cell->cpu_limit ? CPU : NO_REASON;
}

/* Sleep until a child ends, something is due, or the server has something to say. Whether it has. */
static int is_addressed(const struct cell *cell) {
    struct pollfd poll = {cell->control, POLLIN, 0};
    double left = cell->deadline - now();
    if (cell->cpu_limit >= 0 && left > CHECK_CPU_MILLISECONDS * 1e-3)
        left = CHECK_CPU_MILLISECONDS * 1e-3;
    left = left < 0 ? 0 : left;
    struct timespec time = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigdelset(&mask, SIGCHLD);
    return ppoll(&poll, 1, &time, &mask) > 0;
}

static int reaped(struct cell *cell) {
    int pid, status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == cell->guest) {
            cell->status = status;
            return 1;
        }
    return 0;
}

static void end_everything(void) {
    do
        kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0);
}

/* 0 when the program has ended; SUPERVISE_ON when the server wants something meanwhile. */
static int supervise(const struct house *house, struct cell *cell) {
    cell->reason = NO_REASON;
    while (!reaped(cell)) {
        cell->reason = overdue(house, cell);
        if (cell->reason != NO_REASON) {
            kill(-1, SIGKILL);
            waitpid(cell->guest, &cell->status, 0);
            break;
        }
        if (is_addressed(cell)) {
            is_order(cell);
            return SUPERVISE_ON;
        }
    }
    cell->ended = now();
    end_everything();
    return 0;
}

/* Whether any of these files is there, or in whatever state something of its name is. */
static int is_any_there(const struct cell *cell, const struct frame *frame) {
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC};
    how.resolve = BENEATH;
    const char *name = frame->returns, *end = frame->returns + frame->returns_bytes;
    for (; name < end; name += strlen(name) + 1) {
        int fd = (int)syscall(SYS_openat2, cell->workspace, name, &how, sizeof how);
        if (fd < 0 && errno == ENOENT)
            continue;
        close(fd);
        return 1;
    }
    return 0;
}

static void add_ending(struct text *text, int status) {
    if (WIFEXITED(status))
        add(text, "\"exit_code\":%d,\"signal\":null", WEXITSTATUS(status));
    else
        add(text, "\"exit_code\":null,\"signal\":%d", WTERMSIG(status));
}

static void send_verdict(const struct house *house, const struct cell *cell) {
    static const char *const reasons[] = {"null", "\"wall\"", "\"cpu\""};
    struct statvfs disk = {0};
    told.length = 0;
    double user, system;
    fstatvfs(cell->workspace, &disk);
    read_cpu(house, cell, &user, &system);
    int64_t kills = counter(house, cell, OOM_KILLS);
    add(&told, "{\"op\":\"exited\",");
    add_ending(&told, cell->status);
    add(&told, ",\"reason\":%s,\"usage\":{\"wall_seconds\":%.6f", reasons[cell->reason], cell->ended - cell->started);
    add(&told, ",\"cpu_user_seconds\":%.9f", user - cell->cpu_user);
    add(&told, ",\"cpu_system_seconds\":%.9f", system - cell->cpu_system);
    add_counter(&told, "oom_kills", (kills < 0 ? 0 : kills) - cell->oom_kills);
    add_counter(&told, "memory_peak", counter(house, cell, MEMORY_PEAK));
    add_counter(&told, "processes_peak", counter(house, cell, PROCESSES_PEAK));
    add(&told, "},\"disk_full\":%s", disk.f_bavail == 0 || disk.f_favail == 0 ? "true" : "false");
    add(&told, ",\"artifacts\":[],\"returned\":[],\"notes\":[]");
    add(&told, ",\"start_ms\":%.6f", (cell->started - cell->received) * 1e3);
    add(&told, ",\"run_ms\":%.6f", (cell->ended - cell->started) * 1e3);
    add(&told, ",\"collect_ms\":%.6f}", (now() - cell->ended) * 1e3);
    send_text(cell, &told);
}

static int execute(const struct house *house, struct cell *cell) {
    struct frame frame = {0};
    cell->received = now();
    if (receive_frame(cell, &frame))
        _exit(0);
    if (start(house, cell, &frame)) {
        errno = EPROTO;
        fails("the order");
        give_up(cell);
    }
    if (supervise(house, cell))
        return SUPERVISE_ON;
    if (frame.collects || is_any_there(cell, &frame))
        return CONCLUDE;
    send_verdict(house, cell);
    cell->guest = -1;
    return 0;
}

static void ignore(int number) { (void)number; }

/* For an interpreter that goes on here: its own handler of SIGCHLD, which it hears of at once. */
static int hand_to_python(int code, const struct sigaction *handler, const sigset_t *mask) {
    sigaction(SIGCHLD, handler, NULL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    return code;
}

static int be_init(const struct house *house, struct cell *cell) {
    struct sigaction before, wakes = {.sa_handler = ignore};
    sigset_t mask, child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigaction(SIGCHLD, &wakes, &before);
    sigprocmask(SIG_BLOCK, &child, &mask);
    if (take_charge(house, cell))
        give_up(cell);
    int role = make_guest(house, cell);
    if (role == IS_GUEST)
        return role;
    if (failure.length || set_fs_ids() || stay_out_of_reach())
        give_up(cell);
    cell->workspace = open(WORKSPACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cell->workspace < 0) {
        fails(WORKSPACE);
        give_up(cell);
    }
    send_ready(house, cell);
    if (!is_order(cell))
        return hand_to_python(SERVE_ON, &before, &mask);
    int code = execute(house, cell);
    if (code == 0)
        is_order(cell); /* which ends this process when there is nothing more to do */
    return hand_to_python(code ? code : SERVE_ON, &before, &mask);
}

/* The pid of a new cell's pid 1; in that process, or in its guest, what it is to be; below NOT_MADE an errno.
 *
 * The caller runs the interpreter's hooks before and after a fork. */
int make_cell(const struct house *house, struct cell *cell) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } v2 = {.flags = house->clone_flags | 0x200000000ull, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cell->birthplace};
    long pid = cell->birthplace >= 0 ? syscall(SYS_clone3, &v2, sizeof v2)
                                     : syscall(SYS_clone, house->clone_flags | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0)
        return NOT_MADE - errno;
    return pid ? (int)pid : be_init(house, cell);
}
