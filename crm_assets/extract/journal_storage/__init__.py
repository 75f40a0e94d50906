"""Where the journals of reads are kept, and in what form."""
