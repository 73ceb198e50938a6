"""What Holdfast costs on this machine, measured over HTTP against a real server: `make bench`."""
