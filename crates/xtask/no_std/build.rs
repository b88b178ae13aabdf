//! What the linker needs to be told where there is no `std` to tell it.

fn main() {
    // C's startup, exit and copies of memory.
    println!("cargo::rustc-link-lib=c");
    // The `alloc` that comes with the compiler names the function that unwinds; nothing does.
    println!("cargo::rustc-link-arg-bins=-Wl,--defsym=rust_eh_personality=0");
    println!("cargo::rerun-if-changed=build.rs");
}
