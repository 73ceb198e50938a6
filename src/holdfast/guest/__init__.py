"""What runs inside the read-only tree of the local engine: launcher, pid 1, guest. Standard library only.

It is bound into the tree without the rest of the package, so nothing here may import anything of ours outside `guest`.
"""
