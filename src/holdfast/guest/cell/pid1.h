/* Pid 1: its groups, the guest it makes, and what the kernel says of both. Part of cell.c. */
#pragma once

/* JSON text towards the server, before so many bytes of files. */
static void send_text(const struct cell *cell, const struct text *text, uint32_t size) {
    uint32_t lengths[2] = {htonl((uint32_t)text->length), htonl(size)};
    if (send_all(cell->control, (const char *)lengths, sizeof lengths) || send_all(cell->control, text->bytes, text->length))
        _exit(0);
}

static void give_up(const struct cell *cell) {
    told.length = 0;
    for (size_t i = 0; i < failure.length; i++)
        if (failure.bytes[i] < ' ' || strchr("\"\\\x7f", failure.bytes[i]))
            failure.bytes[i] = '?';
    add(&told, "{\"op\":\"failed\",\"error\":\"%.*s\"}", 1000, failure.bytes);
    send_text(cell, &told, 0);
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
    send_text(cell, &told, 0);
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
