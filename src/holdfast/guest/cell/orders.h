/* An order to run something: read, its limits turned, its files placed, handed to the guest. Part of cell.c. */
#pragma once

struct frame {
    char *bytes;
    uint32_t header_bytes, payload_bytes;
    int fds[MOST_FDS], fds_count;
    const char *returns;
    uint32_t returns_bytes;
    int64_t roomy_bytes;
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
    frame->roomy_bytes = order.roomy_bytes;
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
