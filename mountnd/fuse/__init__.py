"""The kernel's door: paths in, errnos out. The only room that imports the FUSE binding, and a boring one."""
