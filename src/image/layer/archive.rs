//! One entry of a tar archive, written in one way only.
//!
//! POSIX ustar; a PAX header goes before it only where ustar can't say it (a long or non-ASCII path, an owner
//! over 2,097,151, a file of 8 GiB). No user or group names, no device, one fixed time.

use std::io::{self, Write};

/// The time of every entry: 1980-01-01T00:00:00Z.
///
/// Zero reads as "unset" to web servers and backup tools, and zip-based tools (a JAR among the assets, repacked)
/// can't write a time before 1980.
pub(super) const MODIFIED: u64 = 315_532_800;

const BLOCK: usize = 512;
const MAX_OCTAL_OWNER: u32 = 0o7_777_777;
const MAX_OCTAL_SIZE: u64 = 0o77_777_777_777;

/// Who a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryType {
    File,
    Folder,
}

/// All that a header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Without leading or trailing `/`.
    pub(super) path: &'a str,
    pub(super) entry_type: EntryType,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) owner: Owner,
    pub(super) size: u64,
}

/// Writes the header; `size` bytes and [`padding`] come next.
pub(super) fn write_header(writer: &mut impl Write, entry: &Entry<'_>) -> io::Result<()> {
    let path = match entry.entry_type {
        EntryType::File => entry.path.to_owned(),
        EntryType::Folder => format!("{}/", entry.path),
    };
    let split = split_path(&path);
    let records = extended_records(entry, &path, split.is_none());
    if !records.is_empty() {
        let mut header = tar::Header::new_ustar();
        fill_name(&mut header, "", "PaxHeaders.0");
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(records.len() as u64);
        finish(header, writer)?;
        writer.write_all(&records)?;
        writer.write_all(padding(records.len() as u64))?;
    }
    let mut header = tar::Header::new_ustar();
    match split {
        Some((prefix, name)) => fill_name(&mut header, prefix, name),
        None => fill_name(&mut header, "", &plain_name(&path)),
    }
    header.set_entry_type(match entry.entry_type {
        EntryType::File => tar::EntryType::Regular,
        EntryType::Folder => tar::EntryType::Directory,
    });
    header.set_mode(entry.mode);
    header.set_uid(u64::from(octal_owner(entry.owner.uid)));
    header.set_gid(u64::from(octal_owner(entry.owner.gid)));
    header.set_size(if entry.size > MAX_OCTAL_SIZE { 0 } else { entry.size });
    finish(header, writer)
}

/// The zero bytes that fill the last block of content.
pub(super) fn padding(size: u64) -> &'static [u8] {
    let used = (size % BLOCK as u64) as usize;
    &[0; BLOCK][..(BLOCK - used) % BLOCK]
}

/// The two empty blocks at the end.
pub(super) fn write_end(writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(&[0; 2 * BLOCK])
}

fn finish(mut header: tar::Header, writer: &mut impl Write) -> io::Result<()> {
    header.set_mtime(MODIFIED);
    header.set_device_major(0)?;
    header.set_device_minor(0)?;
    header.set_cksum();
    writer.write_all(header.as_bytes())
}

fn octal_owner(id: u32) -> u32 {
    if id > MAX_OCTAL_OWNER { 0 } else { id }
}

/// Prefix and name as ustar parts them; `None` where it can't.
fn split_path(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    let earliest = path.len() - 101;
    let slash = earliest + path[earliest..path.len() - 1].find('/')?;
    (slash <= 155).then(|| (&path[..slash], &path[slash + 1..]))
}

/// What a reader without PAX sees instead of the path.
fn plain_name(path: &str) -> String {
    path.chars()
        .map(|letter| if letter.is_ascii() { letter } else { '_' })
        .take(100)
        .collect()
}

fn fill_name(header: &mut tar::Header, prefix: &str, name: &str) {
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
    }
}

/// PAX records (POSIX pax, *Extended Header*), by keyword; empty where ustar says it all.
fn extended_records(entry: &Entry<'_>, path: &str, long_path: bool) -> Vec<u8> {
    let mut records = Vec::new();
    if entry.owner.gid > MAX_OCTAL_OWNER {
        push_record(&mut records, "gid", &entry.owner.gid.to_string());
    }
    if long_path {
        push_record(&mut records, "path", path);
    }
    if entry.size > MAX_OCTAL_SIZE {
        push_record(&mut records, "size", &entry.size.to_string());
    }
    if entry.owner.uid > MAX_OCTAL_OWNER {
        push_record(&mut records, "uid", &entry.owner.uid.to_string());
    }
    records
}

/// `<length> <keyword>=<value>\n`, where the length counts its own digits.
fn push_record(records: &mut Vec<u8>, keyword: &str, value: &str) {
    let rest = keyword.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() > length {
        length += 1;
    }
    records.extend_from_slice(format!("{length} {keyword}={value}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 1..1100 {
            let mut records = Vec::new();
            push_record(&mut records, "path", &"x".repeat(length));
            let text = String::from_utf8(records).expect("text");
            let (digits, _) = text.split_once(' ').expect("a blank");
            assert_eq!(digits.parse::<usize>(), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn a_path_is_split_only_where_both_parts_fit() {
        let folder = "f".repeat(150);
        assert_eq!(split_path(&format!("{folder}/name")), Some((folder.as_str(), "name")));
        assert_eq!(split_path(&format!("a/{}", "n".repeat(101))), None);
        assert_eq!(split_path(&format!("{}/n", "f".repeat(156))), None);
        assert_eq!(split_path("größe"), None);
        let folder = format!("{}/", "f".repeat(120));
        assert_eq!(split_path(&folder), None, "the name must not be empty");
    }
}
