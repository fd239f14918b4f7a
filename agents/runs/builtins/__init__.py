"""The tools that Remit itself brings: their work is rows, written in the transaction of the journal."""
