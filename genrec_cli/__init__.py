"""The command line of genrec: each command parses, calls one library function and renders its result."""
