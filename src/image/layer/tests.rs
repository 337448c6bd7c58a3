//! What a layer promises: the same bytes for the same files, and the files again when it is read.

use proptest::prelude::*;

use super::*;

const SERVER: Owner = Owner { uid: 10001, gid: 10000 };

fn path(text: &str) -> ImagePath {
    text.parse().expect(text)
}

fn file(place: &str, content: &[u8]) -> LayerFile {
    LayerFile {
        path: path(place),
        mode: FileMode::Plain,
        owner: SERVER,
        content: content.to_vec().into(),
    }
}

fn replaced(place: &str) -> ReplacedFolder {
    ReplacedFolder {
        path: path(place),
        owner: SERVER,
    }
}

fn contents(files: Vec<LayerFile>, folders: &[ReplacedFolder]) -> LayerContents {
    LayerContents::new(LayerKind::Config, files, folders).expect("valid")
}

/// Path, type, mode and owner of each entry, as the tar crate sees them.
fn listing(gzip: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(gzip));
    let entries = archive.entries().expect("tar");
    entries
        .map(|entry| {
            let entry = entry.expect("entry");
            let header = entry.header();
            format!(
                "{} {:?} {:o} {}:{}",
                String::from_utf8_lossy(&entry.path_bytes()),
                header.entry_type(),
                header.mode().expect("mode"),
                header.uid().expect("uid"),
                header.gid().expect("gid"),
            )
        })
        .collect()
}

#[test]
fn lists_a_replaced_folder_its_marker_and_what_is_below_and_nothing_above() {
    let mut script = file("/opt/idsvr/etc/init/sub/run.sh", b"#!/bin/sh\n");
    script.mode = FileMode::Executable;
    let files = vec![script, file("/opt/idsvr/etc/init/!first.xml", b"<config/>")];
    let (_, bytes) = contents(files, &[replaced("/opt/idsvr/etc/init")])
        .build()
        .expect("written");
    assert_eq!(
        listing(&bytes),
        [
            "opt/idsvr/etc/init/ Directory 755 10001:10000",
            "opt/idsvr/etc/init/.wh..wh..opq Regular 644 10001:10000",
            "opt/idsvr/etc/init/!first.xml Regular 644 10001:10000",
            "opt/idsvr/etc/init/sub/ Directory 755 10001:10000",
            "opt/idsvr/etc/init/sub/run.sh Regular 755 10001:10000",
        ]
    );
}

#[test]
fn leaves_folders_of_the_base_alone() {
    let (_, bytes) = contents(vec![file("/etc/themes/a/b.css", b"")], &[])
        .build()
        .expect("written");
    assert_eq!(listing(&bytes), ["etc/themes/a/b.css Regular 644 10001:10000"]);
}

#[test]
fn folders_whose_attributes_are_known_are_listed_with_them() {
    let listed = |place: &str, mode| ListedFolder {
        path: path(place),
        owner: Owner { uid: 1000, gid: 0 },
        mode,
    };
    let layer = contents(vec![file("/opt/a/init/x", b"")], &[replaced("/opt/a/init")]);
    let folders = [listed("/opt/a", 0o2775), listed("/opt/a/init", 0o750)];
    let (_, bytes) = layer
        .clone()
        .with_folders(&folders)
        .expect("valid")
        .build()
        .expect("written");
    assert_eq!(
        listing(&bytes),
        [
            "opt/a/ Directory 2775 1000:0",
            "opt/a/init/ Directory 750 1000:0",
            "opt/a/init/.wh..wh..opq Regular 644 1000:0",
            "opt/a/init/x Regular 644 10001:10000",
        ]
    );
    for (place, says) in [
        ("/opt/a/init/x", "two files go to `/opt/a/init/x`"),
        ("/opt/a/init/x/y", "`/opt/a/init/x` is a file"),
        ("/.wh.a", "hide a file"),
    ] {
        let error = layer
            .clone()
            .with_folders(&[listed(place, 0o755)])
            .expect_err("refused");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let files: Vec<_> = ["/c/b", "/c/a", "/c/a-b", "/c/d/e"]
        .iter()
        .map(|place| file(place, place.as_bytes()))
        .collect();
    let reversed = files.iter().rev().cloned().collect();
    let folders = [replaced("/c")];
    assert_eq!(
        contents(files, &folders).build().expect("written"),
        contents(reversed, &folders).build().expect("written")
    );
}

/// The proof that a machine, a processor and a version of the compressor write the same image as all others.
#[test]
fn the_bytes_are_the_same_on_every_machine() {
    let mut files = vec![file(&format!("/opt/{}/größe.xml", "long/".repeat(40)), b"<a/>\n")];
    let mut state: u32 = 1;
    for number in 0..40 {
        let mut text = String::new();
        for _ in 0..500 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let length = (state >> 28) as usize;
            text.push_str(&format!("<id>client-{:x}</id>{}", state >> 20, "ab".repeat(length)));
        }
        files.push(file(&format!("/opt/idsvr/etc/init/{number}.xml"), text.as_bytes()));
    }
    let (layer, bytes) = contents(files, &[replaced("/opt/idsvr/etc/init")])
        .build()
        .expect("written");
    assert_eq!(layer.size, bytes.len() as u64);
    assert_eq!(layer.digest, Digest::of(&bytes));
    assert_eq!(
        bytes[..10],
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, bytes[8], 255],
        "no time, no name, no system"
    );
    assert_eq!(
        layer.diff_id.to_string(),
        "sha256:2e0304b37602859fed744137ff7c6e0a76a91ef6b4efc5dc1e824ffc17b2ff19"
    );
    assert_eq!(
        layer.digest.to_string(),
        "sha256:e2faa478a65e18e19cb8760c10518adb709658334bc44948d23dd2d3e5e7bde0"
    );
}

#[test]
fn a_stream_in_small_pieces_gives_the_same_bytes() {
    struct Drip(std::io::Cursor<Vec<u8>>);
    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(77);
            self.0.read(&mut buffer[..count])
        }
    }
    let content: Vec<u8> = (0..400_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
    let mut streamed = file("/a", b"");
    let source = content.clone();
    streamed.content = Content::Source {
        length: content.len() as u64,
        open: Arc::new(move || Ok(Box::new(Drip(std::io::Cursor::new(source.clone()))))),
    };
    assert_eq!(
        contents(vec![streamed], &[]).build().expect("written"),
        contents(vec![file("/a", &content)], &[]).build().expect("written")
    );
}

#[test]
fn a_file_that_changes_or_vanishes_is_told_by_name() {
    for length in [2, 4] {
        let mut changed = file("/a", b"");
        changed.content = Content::Source {
            length,
            open: Arc::new(|| Ok(Box::new(&b"abc"[..]))),
        };
        let error = contents(vec![changed], &[]).build().expect_err("another length");
        assert!(matches!(error, LayerError::Changed(_)), "{error}");
    }
    let mut gone = file("/gone", b"");
    gone.content = Content::Source {
        length: 1,
        open: Arc::new(|| Err(io::Error::from(io::ErrorKind::NotFound))),
    };
    let error = contents(vec![gone], &[]).build().expect_err("no file");
    assert!(error.to_string().contains("`/gone`"), "{error}");
}

#[test]
fn refuses_files_that_fit_no_layer() {
    let new = |files, folders: &[_]| LayerContents::new(LayerKind::Config, files, folders).expect_err("refused");
    let twice = new(vec![file("/a", b""), file("a/", b"")], &[]);
    assert!(matches!(twice, LayerError::Twice(_)), "{twice}");
    for folders in [&[][..], &[replaced("/c")]] {
        let mut files = vec![file("/c/a", b""), file("/c/a/b", b"")];
        let first = new(files.clone(), folders).to_string();
        files.reverse();
        assert_eq!(new(files, folders).to_string(), first);
        assert!(first.contains("`/c/a` is a file"), "{first}");
    }
    for hiding in ["/c/.wh.a", "/c/.wh..wh..opq", "/.wh.c/a"] {
        let hidden = new(vec![file(hiding, b"")], &[]);
        assert!(matches!(hidden, LayerError::Whiteout(_)), "{hidden}");
    }
    let folder = new(vec![file("/c", b"")], &[replaced("/c")]);
    assert!(matches!(folder, LayerError::Twice(_)), "{folder}");
}

#[test]
fn large_owners_survive() {
    let mut large = file("/a", b"x");
    large.owner = Owner {
        uid: 1_000_650_000,
        gid: 2_097_152,
    };
    let (_, bytes) = contents(vec![large], &[]).build().expect("written");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut entry = archive.entries().expect("tar").next().expect("one").expect("entry");
    let records: Vec<_> = entry
        .pax_extensions()
        .expect("pax")
        .expect("some")
        .map(|record| {
            let record = record.expect("record");
            format!("{}={}", record.key().expect("key"), record.value().expect("value"))
        })
        .collect();
    assert_eq!(records, ["gid=2097152", "uid=1000650000"]);
}

#[test]
fn a_descriptor_speaks_the_flavour_of_its_image() {
    let (layer, _) = contents(vec![file("/a", b"")], &[]).build().expect("written");
    let docker = layer.descriptor(Flavour::Docker);
    assert_eq!(docker.media_type, "application/vnd.docker.image.rootfs.diff.tar.gzip");
    let oci = layer.descriptor(Flavour::Oci);
    assert_eq!(oci.media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(
        oci.annotations.get(LAYER_ANNOTATION).map(String::as_str),
        Some("config")
    );
    assert_eq!(LayerKind::Asset(path("/opt/a/")).to_string(), "asset:/opt/a");
}

fn names() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => "[a-zA-Z0-9 _.#äß☃-]{1,20}",
        1 => "[a-z]{90,120}",
    ];
    prop::collection::vec(name, 1..5).prop_map(|names| names.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_what_it_writes(inputs in prop::collection::btree_map(names(), prop::collection::vec(any::<u8>(), 0..2000), 0..12)) {
        let files: Vec<_> = inputs
            .iter()
            .filter_map(|(place, content)| Some((format!("/c/{place}").parse::<ImagePath>().ok()?, content)))
            .map(|(place, content)| LayerFile { path: place, mode: FileMode::Plain, owner: SERVER, content: content.clone().into() })
            .collect();
        let mut expected: Vec<_> = files
            .iter()
            .map(|file| match &file.content {
                Content::Memory(bytes) => (file.path.clone(), bytes.to_vec()),
                Content::Source { .. } => unreachable!("all in memory"),
            })
            .collect();
        expected.sort();
        // Names such as `a/.` and `a` are one place, which is refused: not what this is about.
        if let Ok(contents) = LayerContents::new(LayerKind::Config, files, &[replaced("/c")]) {
            let (_, bytes) = contents.build().expect("written");
            prop_assert_eq!(read_layer_files(&bytes[..], &LayerBounds::default()).expect("read"), expected);
        }
    }
}
