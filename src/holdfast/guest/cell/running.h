/* A program that runs: watched, ended, and judged. Part of cell.c. */
#pragma once

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

/* A file that the program has left for us. */
struct returned {
    const char *name;
    int fd;
    uint32_t size;
};

static int is_plain(const char *name) {
    for (const char *at = name; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
            return 0;
    return strlen(name) < MOST_NAME_BYTES;
}

/* Open it, if it is as it should be: a regular file and not too large. 0 when there is none, -1 when anything else. */
static int open_returned(const struct cell *cell, const char *name, uint64_t most, struct returned *file) {
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, .resolve = BENEATH};
    struct stat about;
    int fd = (int)syscall(SYS_openat2, cell->workspace, name, &how, sizeof how);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    *file = (struct returned){name, fd, 0};
    if (fstat(fd, &about) || !S_ISREG(about.st_mode) || (uint64_t)about.st_size > most || about.st_size > MOST_FRAME_BYTES)
        return close(fd), -1;
    file->size = (uint32_t)about.st_size;
    return 1;
}

/* How many files there are to hand back; -1 where one is not as it should be, which is for Python to tell. */
static int find_returned(const struct cell *cell, const struct frame *frame, struct returned *files) {
    const char *at = frame->returns, *end = at + frame->returns_bytes;
    uint64_t most, left = MOST_FRAME_BYTES;
    int count = 0, found = 0;
    for (; end - at > (ptrdiff_t)sizeof most && found >= 0; at += strlen(at) + 1) {
        memcpy(&most, at, sizeof most);
        at += sizeof most;
        found = count < MOST_RETURNED && is_plain(at) ? open_returned(cell, at, most < left ? most : left, &files[count]) : -1;
        if (found > 0)
            left -= files[count++].size;
    }
    while (found < 0 && count > 0)
        close(files[--count].fd);
    return found < 0 ? -1 : count;
}

static void add_ending(struct text *text, int status) {
    if (WIFEXITED(status))
        add(text, "\"exit_code\":%d,\"signal\":null", WEXITSTATUS(status));
    else
        add(text, "\"exit_code\":null,\"signal\":%d", WTERMSIG(status));
}

static void add_returned(struct text *text, const struct returned *files, int count) {
    const char *comma = "";
    add(text, ",\"artifacts\":[");
    for (int i = 0; i < count; i++, comma = ",")
        add(text, "%s[\"%s\",%u]", comma, files[i].name, files[i].size);
    comma = "";
    add(text, "],\"returned\":[");
    for (int i = 0; i < count; i++, comma = ",")
        add(text, "%s\"%s\"", comma, files[i].name);
    add(text, "],\"notes\":[]");
}

/* The contents, each as long as it was said to be: what is not there any more is zeros. The verdict's pages serve. */
static void send_returned(const struct cell *cell, const struct returned *files, int count) {
    for (int i = 0; i < count; i++) {
        for (size_t left = files[i].size; left > 0;) {
            size_t piece = left < sizeof told.bytes ? left : sizeof told.bytes;
            ssize_t got = read(files[i].fd, told.bytes, piece);
            if (got <= 0)
                memset(told.bytes, 0, piece);
            piece = got > 0 ? (size_t)got : piece;
            if (send_all(cell->control, told.bytes, piece))
                _exit(0);
            left -= piece;
        }
        close(files[i].fd);
    }
}

static void send_verdict(const struct house *house, const struct cell *cell, const struct returned *files, int count) {
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
    add_returned(&told, files, count);
    add(&told, ",\"start_ms\":%.6f", (cell->started - cell->received) * 1e3);
    add(&told, ",\"run_ms\":%.6f", (cell->ended - cell->started) * 1e3);
    add(&told, ",\"collect_ms\":%.6f}", (now() - cell->ended) * 1e3);
    uint32_t size = 0;
    for (int i = 0; i < count; i++)
        size += files[i].size;
    send_text(cell, &told, size);
    send_returned(cell, files, count);
}

static int execute(const struct house *house, struct cell *cell) {
    struct frame frame = {0};
    struct returned files[MOST_RETURNED];
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
    int64_t peak = counter(house, cell, MEMORY_PEAK);
    int count = frame.collects ? -1 : find_returned(cell, &frame, files);
    if (count < 0)
        return CONCLUDE;
    if (count > 0 && (peak < 0 || peak > frame.roomy_bytes)) {
        while (count > 0)
            close(files[--count].fd);
        return CONCLUDE;
    }
    send_verdict(house, cell, files, count);
    cell->guest = -1;
    return 0;
}
