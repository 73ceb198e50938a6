"""What engines find and use on this host: what programs are shown of it, its control groups, its system call filter."""
