"""Chaos: a crowd uses a whole installation while its parts are killed, its cluster misbehaves and others meddle in it.

`make chaos SEEDS="1 2 3"`. A seed fixes who does what in which order, what breaks when and who meddles with what; how the
threads and processes interleave is the machine's affair. Then everything is let be, and what DESIGN.md promises is checked.

plan        what a seed means: operations, faults, meddling, in order
people      twenty persons who carry operations out over HTTP, and ask again under the same key when no answer comes
record      what they were told
faults      killing, stopping and restarting parts; the sandbox's own faults
meddling    somebody edits and deletes objects behind OVIM's back
strangers   objects that are not OVIM's, to be left alone
quota_watch a second pair of eyes on the database: no sum above its limit, at any moment
calm        the faults end; waiting until nothing changes
picture     rows and live objects, read once, for the checks
checks/     each promise: a function from a picture to the differences it found
"""
