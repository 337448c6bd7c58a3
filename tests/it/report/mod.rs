//! `iamship report`: one page, for people who never use a terminal.

mod browser;
mod fixture;

use std::path::PathBuf;

/// Where pages and pictures are left for people to look at.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/report");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn write_all() {
    for (name, page) in [
        ("ordinary", fixture::ordinary()),
        ("quiet", fixture::quiet()),
        ("empty", fixture::empty()),
        ("broken", fixture::broken()),
        ("hostile", fixture::hostile()),
        ("large", fixture::large(50, 1_000)),
    ] {
        let html = page.html().expect("a page");
        println!("{name} {}", html.len());
        std::fs::write(folder().join(format!("{name}.html")), html).expect("written");
    }
}
