"""Parts of a page, one module a noun. Each part is a function that takes plain values and returns safe HTML."""
