//! `landfall`: the check that Landfall runs before it loads a file, on anyone's machine.

fn main() {}
