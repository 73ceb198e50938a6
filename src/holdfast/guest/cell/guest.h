/* The guest: builds the cell and locks itself in. Part of cell.c. */
#pragma once

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
