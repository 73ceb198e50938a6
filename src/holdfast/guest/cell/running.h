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
