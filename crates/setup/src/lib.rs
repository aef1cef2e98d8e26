//! What a part needs to start: its configuration file and its keys, read with clear words for what is wrong.
