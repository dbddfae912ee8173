"""`make bench`: how fast OVIM is beside the barest thing that could do the same, measured in the same run."""
