//! The house: an import points down, never up or sideways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each module and its floor; `src/lib.rs` and DESIGN tell the same.
const FLOORS: &[(&str, u8)] = &[
    ("diagnostic", 0),
    ("profile", 1),
    ("image", 1),
    ("project", 2),
    ("bundle", 2),
    ("values", 2),
    ("store", 3),
    ("engine", 3),
    ("probe", 3),
    ("secrets", 3),
    ("vault", 3),
    ("git", 3),
    ("program", 3),
    ("render", 3),
    ("checks", 4),
    ("attest", 4),
    ("secrets", 4),
    ("report", 4),
    ("promotion", 5),
    ("ops", 6),
    ("cli", 7),
];

/// What floors 0 to 2 must not know: they are values, tested without a world.
const WORLD: &[&str] = &[
    "tokio",
    "reqwest",
    "std::net",
    "std::process",
    "std::env",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The module that a file belongs to, and its lines without the tests at its end.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = source_folder();
    sources(&root)
        .into_iter()
        .filter_map(|path| {
            let below = path.strip_prefix(&root).expect("below src");
            let first = below.components().next()?.as_os_str().to_str()?.to_owned();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).expect("source can be read");
            let code = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default()
                .to_owned();
            Some((module, path, code))
        })
        .filter(|(module, ..)| module != "lib" && module != "main")
        .collect()
}

#[test]
fn imports_point_down() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, path, code) in modules() {
        let Some(own) = floors.get(module.as_str()) else {
            wrong.push(format!("{}: `{module}` has no floor", path.display()));
            continue;
        };
        for (number, line) in code
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for (at, _) in line.match_indices("crate::") {
                let name: String = line[at + 7..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                if name.is_empty() || name == module {
                    continue;
                }
                match floors.get(name.as_str()) {
                    Some(floor) if floor < own => {}
                    Some(_) => wrong.push(format!(
                        "{}:{}: `{module}` imports `{name}`",
                        path.display(),
                        number + 1
                    )),
                    None => wrong.push(format!("{}:{}: `{name}` has no floor", path.display(), number + 1)),
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that point up or sideways:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_module_of_the_crate_has_a_floor_and_stands_on_the_map() {
    let library = std::fs::read_to_string(source_folder().join("lib.rs")).expect("lib.rs");
    for (name, floor) in FLOORS {
        assert!(
            library.contains(&format!("| {floor} | [`{name}`]")),
            "the map in lib.rs lacks `{name}` on floor {floor}"
        );
        assert!(library.contains(&format!("mod {name};")), "`{name}` is not a module");
    }
}

#[test]
fn the_lower_floors_do_not_know_the_world() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, path, code) in modules() {
        if floors.get(module.as_str()).is_none_or(|floor| *floor > 2) {
            continue;
        }
        for word in WORLD {
            if code.contains(word) {
                wrong.push(format!("{}: `{word}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "floors 0 to 2 touch the world:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_prints_and_exits() {
    let mut wrong = Vec::new();
    for (module, path, code) in modules() {
        if module == "cli" {
            continue;
        }
        for word in [
            "println!",
            "eprintln!",
            "process::exit",
            "std::io::stdout",
            "std::io::stderr",
        ] {
            if code.contains(word) {
                wrong.push(format!("{}: `{word}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
