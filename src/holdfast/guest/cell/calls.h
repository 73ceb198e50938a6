/* Small things: failures, texts, all of a message, and of descriptors. Part of cell.c. */
#pragma once

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
