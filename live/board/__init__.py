"""The live board: what goes on at each number right now, on a page and on screens on the wall."""
