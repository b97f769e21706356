//! End-to-end scenarios over the public interfaces, fault campaigns and peers.
