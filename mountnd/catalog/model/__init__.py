"""What keys mean and how names are held: values and pure functions, no I/O, no locks, no clock.

keys         which keys are files and directories, which stay hidden and why; what one page tells of a directory
location     which store: its identity, and how a person names its keys
permissions  what a refused listing says of others
entry        one name of the tree, as the rest of mountnd sees it
answer       what the store said of one name, and when it was asked
table        sorted names with their stats, packed into one `bytes`
listing      one directory, completely known: tables and what is hidden
grouping     from a sorted run of keys, listed without delimiter, to complete directories

Everybody in the catalogue may call this. Inside:
grouping | listing > table | answer | permissions > entry | keys | location.
"""
