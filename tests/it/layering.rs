//! Holds the one-way data flow: a module imports only what stands left of it, and `model`.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a source file that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::repository;

/// In flow order: a module, and what it may import beside itself.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &["model"]),
    ("source", &["model"]),
    ("decode", &["model"]),
    ("extract", &["model"]),
    ("track", &["model"]),
    ("alert", &["model", "track"]),
    ("store", &["model"]),
    ("export", &["model", "clock"]),
    ("ui", &["model"]),
    ("report", &["model", "store"]),
    ("demo", &["model", "clock"]),
    ("telemetry", &["model", "clock", "export"]),
    ("privilege", &[]),
    ("cli", &["model"]),
    ("config", &["model", "source", "decode", "extract", "track", "alert", "store", "export", "cli"]),
    ("pipeline", &["model", "clock", "source", "decode", "extract", "track", "alert", "store", "export", "telemetry"]),
    (
        "command",
        &[
            "model",
            "clock",
            "source",
            "decode",
            "extract",
            "track",
            "alert",
            "store",
            "export",
            "ui",
            "report",
            "demo",
            "telemetry",
            "privilege",
            "cli",
            "config",
            "pipeline",
        ],
    ),
];

#[test]
fn modules_import_only_upstream() {
    let mut wrong = Vec::new();
    let source = repository().join("src");
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(module, _)| *module).collect();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap().to_owned();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: the module {module} has no row in the table", relative.display()));
            continue;
        };
        for import in crate_roots(&std::fs::read_to_string(&file).unwrap()) {
            if import != module && known.contains(import.as_str()) && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: imports crate::{import}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The module names that follow `crate::` outside comments.
fn crate_roots(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut roots = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => roots.insert(identifier(rest)),
            Some(group) => {
                let mut depth = 0usize;
                let mut start = 0;
                for (index, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' | ',' if depth == 0 => {
                            roots.insert(identifier(&group[start..index]));
                            start = index + 1;
                            if c == '}' {
                                break;
                            }
                        }
                        '}' => depth -= 1,
                        _ => {}
                    }
                }
                true
            }
        };
    }
    roots.remove("");
    roots
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn imports_are_found_where_they_hide() {
    let text = "use crate::{a::{b, c}, d as e}; // crate::no\nfn f() { crate::g::h() }";
    assert_eq!(crate_roots(text).into_iter().collect::<Vec<_>>(), ["a", "d", "g"]);
}
