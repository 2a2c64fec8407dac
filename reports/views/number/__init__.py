"""The page of a number, in tabs: a module for each, with the class of its page, its builder and its view."""
