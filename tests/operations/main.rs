//! The gateway in operation: reload, the journal, the command line.
