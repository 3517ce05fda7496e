"""What a mount did, for people and for other programs: pure functions, of what a daemon has answered.

figures      the few figures that `mountnd stats` shows, from a snapshot of `stats.Stats`
explanation  the facts of `mountnd explain` in words
next_read    of these: what a read would do now
live         `stats --watch`: what one or several mounts do just now
collecting   `mountnd report`: puts a daemon's answers together, as the document that `--format json` gives
files        of it: what was read of each file
datasets     of it: the BIDS datasets that files were read from
moments      of it: times
addresses    of it: where a file can be got without a mount
costs        of it: what the requests cost, and whom; what was saved
downloads    the document as commands of aws and rclone, and as a table for datalad
provenance   the document as a BIDS fragment, and as an RO-Crate
page/        the document as a page that needs no network
formats      what there is, by name and by the ending of a file; writing it
"""
