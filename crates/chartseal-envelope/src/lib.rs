//! Post-quantum sealed records with threshold-released keys.
